export type Spread = { n: number; p50_ms: number; p95_ms: number; max_ms: number }

/** Percentiles of measured times in milliseconds, one decimal. */
export function spreadOf(times: readonly number[]): Spread {
  const sorted = [...times].sort((a, b) => a - b)
  const at = (share: number) =>
    round(sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN)
  return { n: sorted.length, p50_ms: at(0.5), p95_ms: at(0.95), max_ms: at(1) }
}

/** Runs `act` `times` times in a row and returns how long each took. */
export async function timed(times: number, act: (round: number) => Promise<{ ms: number }>): Promise<number[]> {
  const taken: number[] = []
  for (let round = 0; round < times; round++) taken.push((await act(round)).ms)
  return taken
}

export const round = (value: number): number => Math.round(value * 10) / 10
export const spreadText = ({ n, p50_ms, p95_ms, max_ms }: Spread): string =>
  `p50 ${p50_ms} ms, p95 ${p95_ms} ms, max ${max_ms} ms (n = ${n})`
