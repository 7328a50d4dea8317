import type { Finding } from './oracle.ts'

/** `times`: how often the fault struck; `kills`: it ended a process. */
export type Row = Finding & {
  fault: string
  backend: string
  control?: boolean
  kills?: boolean
  times: number
  seconds: number
}

export const HEAD = [
  '| fault | backend | times | acknowledged | counted | lost | double | seconds |',
  '|---|---|--:|--:|--:|--:|--:|--:|',
]

/** A row of what could not be run. */
export const nothing = (fault: string, backend: string): Row => ({
  fault,
  backend,
  times: 0,
  acknowledged: 0,
  counted: 0,
  lost: 0,
  double: 0,
  wrong: [],
  seconds: 0,
})

/** A control shows that a loss is seen, so it has failed without one. */
export const failed = ({ lost, double, wrong, acknowledged, control }: Row): boolean =>
  wrong.length > 0 || acknowledged === 0 || (control ? lost === 0 : lost > 0 || double > 0)

export function line(row: Row): string {
  const { fault, backend, times, acknowledged, counted, lost, double, seconds, wrong } = row
  const numbers = [times, acknowledged, counted, lost, double, seconds.toFixed(1)]
  const cells = [fault, backend, ...numbers.map((n) => String(n).padStart(7))]
  const why = wrong.length > 0 ? wrong.join('; ') : 'see the numbers'
  return `| ${cells.join(' | ')} |${failed(row) ? ` FAILED: ${why}` : ''}`
}

/** All that ran, without the controls, and again what failed. */
export function summary(rows: readonly Row[], seconds: number): string {
  const ours = rows.filter(({ control }) => !control)
  const sum = (of: 'times' | 'acknowledged' | 'lost' | 'double', some = ours) =>
    some.reduce((total, row) => total + row[of], 0)
  const killing = ours.filter(({ kills }) => kills)
  const text =
    `\n${ours.length} runs, ${sum('times')} faults, ${sum('times', killing)} of them kills, ${sum('acknowledged')} acknowledged, ${sum('lost')} lost, ` +
    `${sum('double')} double, ${seconds.toFixed(0)} s`
  return [text, ...rows.filter(failed).map(line)].join('\n')
}
