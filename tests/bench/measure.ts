/** One figure. `hold` must be met within a quarter of it under `--check`; `aim` is what we would like. */
export type Figure = {
  name: string
  value: number
  unit: 'ratio' | 'ms' | 's' | 'MB' | 'M/s' | '% of a core' | 'per second' | '/s a core'
  hold: number
  aim?: number
  /** Whether more is better or less. */
  better: 'higher' | 'lower'
  /** Both sides of a ratio, or how it was measured, with numbers of this run. */
  sides: string
}
/** `short`: a tenth of the size, where a bench has a size. */
export type Bench = (say: (text: string) => void, short: boolean) => Promise<Figure[]>

const TOLERANCE = 0.25

export const median = (values: readonly number[]): number => quantile(values, 0.5)

export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN
}

export const meets = ({ value, better }: Figure, target: number): boolean =>
  better === 'higher' ? value >= target : value <= target

/** Missed by more than a quarter: beyond what the noise of a shared machine explains. */
export const missesFar = (figure: Figure): boolean =>
  !meets(figure, figure.better === 'higher' ? figure.hold * (1 - TOLERANCE) : figure.hold * (1 + TOLERANCE))

export function tableOf(figures: readonly Figure[]): string {
  const rows = figures.map((figure) => {
    const { name, value, unit, hold, aim, better, sides } = figure
    const bound = (target: number) => `${better === 'higher' ? '≥' : '≤'} ${target}`
    const verdict = missesFar(figure) ? '**missed**' : meets(figure, hold) ? 'met' : 'missed by less than a quarter'
    const target = `${bound(hold)}${aim === undefined ? '' : `, aim ${bound(aim)}`}`
    return `| ${name} | ${value.toFixed(2)} ${unit} | ${target} | ${verdict} | ${sides} |`
  })
  return ['| figure | measured | hold | | both sides |', '|---|--:|---|---|---|', ...rows].join('\n')
}
