import type { Fault } from '../../../platform/errors.ts'
import type { KeptDimensions } from './kept.ts'
import { needsEvents } from './measure.ts'
import type { Plan } from './plan.ts'

/**
 * What a plan asks of usage that was not kept of it, because no price named it when it was counted: rated under the plan
 * it would come to too little without a word. `used`: the meters there is usage of. Pointers are into the plan.
 */
export function notKept(plan: Plan, kept: KeptDimensions, used: ReadonlySet<string>): Fault[] {
  return plan.charges.flatMap((charge, index): Fault[] => {
    if (charge.model === 'flat' || !used.has(charge.meter)) return []
    const { meter } = charge
    const at = `/charges/${index}`
    const isNamed = (dimension: string) => dimension in kept.of(meter, { [dimension]: 'any' })
    const fault = (pointer: string, what: string): Fault => ({
      pointer: `${at}/${pointer}`,
      code: 'not_kept',
      detail: `${what} of ${meter} were not kept when it was counted; POST /billing/replay rates it from the log`,
    })
    const by = charge.unique_by ?? ''
    return [
      ...((charge.group_by ?? []).every(isNamed) ? [] : [fault('group_by', 'these dimensions')]),
      ...(Object.keys(charge.filter ?? {}).every(isNamed) ? [] : [fault('filter', 'these dimensions')]),
      ...(charge.aggregation === 'unique' && !kept.distinctOf(meter).includes(by)
        ? [fault('aggregation', 'the single values')]
        : []),
      ...(needsEvents(charge) && !kept.eventsOf(meter) ? [fault('model', 'the single events')] : []),
    ]
  })
}
