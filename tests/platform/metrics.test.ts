import { expect } from 'chai'
import { createMetrics, quantileOf } from '../../platform/metrics.ts'

describe('platform/metrics', () => {
  it('refuses names that do not begin with atom_', () => {
    for (const name of ['http_seconds', 'atom_', 'atom_Seconds', 'atom-x'])
      expect(() => createMetrics().counter(name, 'help'), name).to.throw('atom_')
  })

  it('gives the same metric to everybody who declares it', async () => {
    const metrics = createMetrics()
    metrics.counter('atom_events_total', 'Events', ['group']).inc({ group: 'a' })
    metrics.counter('atom_events_total', 'Events', ['group']).inc({ group: 'a' }, 2)
    expect(await metrics.text())
      .to.contain('# TYPE atom_events_total counter')
      .and.contain('atom_events_total{group="a"} 3')
  })

  it('finds the bound below which a share of all observations lie, over every label', async () => {
    const metrics = createMetrics()
    const seconds = metrics.histogram('atom_seconds', 'Time', [0.1, 0.5, 1], ['route'])
    expect(quantileOf(await metrics.counted('atom_seconds'), 0.95)).to.equal(null)
    expect(quantileOf(await metrics.counted('atom_unknown'), 0.95)).to.equal(null)
    for (let i = 0; i < 95; i++) seconds.observe({ route: i % 2 ? '/a' : '/b' }, 0.05)
    for (let i = 0; i < 5; i++) seconds.observe({ route: '/a' }, 0.7)
    expect(quantileOf(await metrics.counted('atom_seconds'), 0.95)).to.equal(0.1)
    expect(quantileOf(await metrics.counted('atom_seconds'), 0.96)).to.equal(1)
    seconds.observe({ route: '/c' }, 9)
    expect(quantileOf(await metrics.counted('atom_seconds'), 1)).to.equal(Number.POSITIVE_INFINITY)
  })
})
