import { defineErrors } from '../../platform/errors.ts'

export const dataError = defineErrors({
  replay_refused: { status: 409, title: 'This cannot be replayed' },
  replay_open: { status: 409, title: 'A replay of it is open already' },
  replay_state: { status: 409, title: 'The replay is not in a state for that' },
})
