import { once } from 'node:events'
import { createServer } from 'node:net'

type Spread = { p50: number; p99: number; max: number; count: number }
/** Milliseconds between turns of an event loop: `late` by the clock, `busy` by what the kernel says its thread ran. */
export type LoopSeen = { late: Spread; busy: Spread | null }

/** What a process must be started with so that its event loop is watched, and what was seen since the last question. */
export async function watchedLoop(): Promise<{ env: Record<string, string>; take: () => Promise<LoopSeen> }> {
  const probe = createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const { port } = probe.address() as { port: number }
  probe.close()
  await once(probe, 'close')
  const env = {
    BENCH_LOOP_PORT: String(port),
    NODE_OPTIONS: `--import ${new URL('./watch-loop.mjs', import.meta.url).href}`,
  }
  return { env, take: async () => (await (await fetch(`http://127.0.0.1:${port}`)).json()) as LoopSeen }
}
