import { type Command, EXIT, show, table } from './command.ts'
import { type Asked, planOrFollow, type Replay, type Table } from './replay-progress.ts'

type Projection = { name: string; group: string; tables: Table[]; open: Replay | null; last: Replay | null }

const path = (name: string | undefined, verb: string) => `/data/projections/${encodeURIComponent(name ?? '')}/${verb}`

export const projectionCommands: Command[] = [
  {
    name: 'projections list',
    usage: '',
    summary: 'projections, their rows, and what was rebuilt',
    options: {},
    async run(context) {
      const answer = await context.api.get<{ projections: Projection[] }>('/data/projections')
      await show(context, answer, () =>
        table(
          ['name', 'group', 'rows', 'former rows', 'open', 'last'],
          answer.projections.map((one) => [
            one.name,
            one.group,
            one.tables.reduce((sum, { rows }) => sum + rows, 0),
            one.tables.some((of) => of.former_rows !== null)
              ? one.tables.reduce((sum, of) => sum + (of.former_rows ?? 0), 0)
              : null,
            one.open && `${one.open.kind} ${one.open.state}`,
            one.last && `${one.last.kind} ${one.last.requested_at}`,
          ]),
        ),
      )
      return EXIT.ok
    },
  },
  {
    name: 'projections rebuild',
    usage: 'NAME [--execute] [--accept-difference] [--accept-loss]',
    summary: 'build a projection from the log beside the live one and swap it in; without --execute the plan',
    options: {
      execute: { type: 'boolean' },
      'accept-difference': { type: 'boolean' },
      'accept-loss': { type: 'boolean' },
    },
    positionals: 1,
    async run(context, values, [name]) {
      const body = {
        ...(values.execute === true ? { execute: true } : {}),
        ...(values['accept-difference'] === true ? { accept_difference: true } : {}),
        ...(values['accept-loss'] === true ? { accept_loss: true } : {}),
      }
      return planOrFollow(context, await context.api.post<Asked>(path(name, 'rebuild'), body))
    },
  },
  {
    name: 'projections rollback',
    usage: 'NAME [--execute]',
    summary: 'bring the tables from before the last swap up to date and put them back; without --execute the plan',
    options: { execute: { type: 'boolean' } },
    positionals: 1,
    async run(context, values, [name]) {
      const body = values.execute === true ? { execute: true } : {}
      return planOrFollow(context, await context.api.post<Asked>(path(name, 'rollback'), body))
    },
  },
]
