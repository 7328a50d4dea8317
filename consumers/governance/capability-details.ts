import type { CapabilityDetail } from '../../schemas/verdict.ts'
import { abilitiesOfCall } from './abilities/code-abilities.ts'
import { abilitiesOfField } from './abilities/field-abilities.ts'
import { type Ability, abilitiesOf } from './abilities/shell-abilities.ts'
import type { Fact } from './facts.ts'
import { executedDownloads } from './flow/executed-downloads.ts'
import { excerpt } from './masking.ts'
import type { PackageView } from './package-view.ts'
import { type Place, placeIn, wholeOf } from './place.ts'

const MOST = 200

/** What a package can do, each with its place, in the order of the document; at most 200, the first of each kind and place. */
export function capabilityDetailsOf(view: PackageView): CapabilityDetail[] {
  const found = new Map<string, CapabilityDetail>()
  const add = ({ kind, detail }: Ability, { pointer, range }: Place): void => {
    if (found.size >= MOST) return
    const shown = excerpt(detail) || kind
    const key = `${kind} ${pointer} ${range?.start} ${shown}`
    if (!found.has(key)) found.set(key, { kind, pointer, ...(range === null ? {} : { range }), detail: shown })
  }
  const downloads = executedDownloads(view).filter(({ use }) => use === 'run')
  for (const fact of view.facts) {
    if (fact.area === 'alert') continue
    for (const { ability, place } of ofFact(fact)) add(ability, place)
    for (const { runs = [], within } of fact.code) {
      for (const { how, host, call } of runs) {
        const place = placeIn(fact, within ?? { start: call.start, end: call.end })
        if (how === 'fetched') add({ kind: 'executes_download', detail: host }, place)
      }
    }
    for (const one of downloads)
      if (one.fact === fact) add({ kind: 'executes_download', detail: one.text }, placeIn(fact, one.range))
    if (found.size >= MOST) break
  }
  return [...found.values()]
}

function ofFact(fact: Fact): { ability: Ability; place: Place }[] {
  if (fact.kind !== 'command') return abilitiesOfField(fact).map((ability) => ({ ability, place: wholeOf(fact) }))
  const commands = fact.pipelines
    .flat()
    .flatMap((command) => abilitiesOf(command).map((ability) => ({ ability, place: placeIn(fact, command.range) })))
  const calls = fact.code.flatMap(({ calls: made = [], within }) =>
    made.flatMap((call) =>
      abilitiesOfCall(call).map((ability) => ({
        ability,
        place: placeIn(fact, within ?? { start: call.start, end: call.end }),
      })),
    ),
  )
  return [...commands, ...calls]
}
