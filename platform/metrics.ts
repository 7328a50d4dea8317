import { Counter, Gauge, Histogram, Registry } from 'prom-client'

/** The one door to prom-client. A metric is declared beside what it measures; names begin with `atom_`. */
export type Metrics = {
  counter(name: string, help: string, labels?: string[]): Counter
  gauge(name: string, help: string, labels?: string[]): Gauge
  histogram(name: string, help: string, buckets: number[], labels?: string[]): Histogram
  /** Prometheus text format. */
  text(): Promise<string>
  contentType: string
  /** How much a histogram has counted up to each of its bounds, over all labels that `wanted` takes. */
  counted(name: string, wanted?: (labels: Record<string, unknown>) => boolean): Promise<Counted>
}

/** By upper bound, the last of which is infinite. */
export type Counted = ReadonlyMap<number, number>
export type { Counter, Gauge, Histogram }

export function createMetrics(): Metrics {
  const registry = new Registry()
  const once = <M>(name: string, make: () => M): M => {
    if (!/^atom_[a-z0-9_]+$/.test(name)) throw new Error(`metric name must begin with atom_: ${name}`)
    return (registry.getSingleMetric(name) as M | undefined) ?? make()
  }
  return {
    counter: (name, help, labelNames = []) =>
      once(name, () => new Counter({ name, help, labelNames, registers: [registry] })),
    gauge: (name, help, labelNames = []) =>
      once(name, () => new Gauge({ name, help, labelNames, registers: [registry] })),
    histogram: (name, help, buckets, labelNames = []) =>
      once(name, () => new Histogram({ name, help, buckets, labelNames, registers: [registry] })),
    text: () => registry.metrics(),
    contentType: registry.contentType,
    async counted(name, wanted = () => true) {
      const byBound = new Map<number, number>()
      const metric = registry.getSingleMetric(name)
      if (!metric) return byBound
      const { values } = await metric.get()
      for (const value of values) {
        const bound = value.labels.le
        if (bound === undefined || !wanted(value.labels)) continue
        const at = bound === '+Inf' ? Number.POSITIVE_INFINITY : Number(bound)
        byBound.set(at, (byBound.get(at) ?? 0) + value.value)
      }
      return byBound
    },
  }
}

/** The bound, in the histogram's unit, at or below which `share` (0..1) of what was counted lies; null before any. */
export function quantileOf(counted: Counted, share: number): number | null {
  const total = counted.get(Number.POSITIVE_INFINITY) ?? 0
  if (total === 0) return null
  return [...counted].sort(([a], [b]) => a - b).find(([, count]) => count >= share * total)?.[0] ?? null
}
