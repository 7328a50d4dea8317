import type { FlowStep } from '../../../schemas/verdict.ts'
import type { Place } from '../place.ts'

const step = (role: FlowStep['role'], { pointer, range }: Place): FlowStep => ({
  role,
  pointer,
  ...(range === null ? {} : { range }),
})

/** The stations of data as a finding names them. */
export const flowSteps = (from: Place, via: readonly Place[], sink: Place): FlowStep[] => [
  step('source', from),
  ...via.map((place) => step('transform', place)),
  step('sink', sink),
]
