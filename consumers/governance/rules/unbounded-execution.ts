import { at, containersOf } from '../manifests.ts'
import type { PackageView } from '../package-view.ts'
import { type Finding, firstOf, type Rule } from './rule.ts'

const MOST_ATTEMPTS = 20

/** WPK-P3-013: nothing says how much of what it may take, or how often it may run. Advice only. */
export const unboundedExecution: Rule = {
  id: 'WPK-P3-013',
  version: 1,
  name: 'unbounded execution',
  severity: 'low',
  about:
    'Containers without a limit for memory, handlers without a timeout or with very many attempts, an event that the package itself causes again, and bounds that disagree with each other. Advice: it never holds a package by itself.',
  remediation: 'Set limits, a timeout and a number of attempts; cap what an event may start.',
  hygiene: true,
  check: (view) => [...withoutLimits(view), ...handlers(view), ...loops(view), ...disagreeing(view)],
}

const advice = (pointer: string, message: string, confidence: Finding['confidence'] = 'medium'): Finding => ({
  pointer,
  severity: 'low',
  confidence,
  message,
  matched: message,
})

/** Memory only: many run without a limit for the processor on purpose, since it slows what it should protect. */
function withoutLimits(view: PackageView): Finding[] {
  const containers = view.manifests.flatMap(containersOf)
  return firstOf(containers, ({ fields }) => at(fields, 'resources', 'limits', 'memory') === undefined).map(
    ({ fields, pointer }) =>
      advice(pointer, `the container "${String(fields.name ?? '').slice(0, 60)}" has no limit for memory`),
  )
}

function handlers({ wpk }: PackageView): Finding[] {
  return wpk.spec.handlers.flatMap(({ name, timeout, retry }, index) => {
    const place = `/spec/handlers/${index}`
    if ((retry?.max_attempts ?? 0) > MOST_ATTEMPTS)
      return [advice(`${place}/retry/max_attempts`, `"${name.slice(0, 60)}" is tried ${retry?.max_attempts} times`)]
    return timeout === undefined && wpk.spec.validation?.resource_limits?.max_runtime === undefined
      ? [advice(place, `"${name.slice(0, 60)}" has no timeout, and the package no longest run`, 'low')]
      : []
  })
}

/** An event of the kind that the handlers create: each run may cause the next. */
function loops({ wpk }: PackageView): Finding[] {
  const kind = /\b(job|pod|deployment|workflow|pipelinerun)s?[.\s_]/i
  return (wpk.spec.triggers ?? []).flatMap(({ type, config }, index) => {
    const watched =
      type === 'event' ? kind.exec(String(config?.condition ?? config?.event ?? ''))?.[1]?.toLowerCase() : undefined
    if (watched === undefined) return []
    const creates = wpk.spec.handlers.some(
      ({ config: own }) =>
        /^(?:create|apply|run)$/.test(String(own?.action ?? '')) && JSON.stringify(own).toLowerCase().includes(watched),
    )
    return creates
      ? [
          advice(
            `/spec/triggers/${index}`,
            `the package makes a ${watched} and is started by one: each run may cause the next`,
          ),
        ]
      : []
  })
}

function disagreeing({ wpk }: PackageView): Finding[] {
  const limits = wpk.spec.validation?.resource_limits
  if (limits === undefined) return []
  return wpk.spec.handlers.flatMap(({ config }, index) =>
    Object.entries(config ?? {}).flatMap(([key, value]) => {
      const bound = limits[key]
      return /^max_/.test(key) && typeof value === 'number' && typeof bound === 'number' && value > bound
        ? [
            advice(
              `/spec/handlers/${index}/config/${key}`,
              `${key} is ${value} here and ${bound} in resource_limits`,
              'high',
            ),
          ]
        : []
    }),
  )
}
