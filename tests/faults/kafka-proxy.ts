import { connect, createServer, type Server, type Socket } from 'node:net'
import type { Ports } from '../../deploy/kafka/properties.ts'
import type { Route } from '../../deploy/kafka/start.ts'
import { spoiler } from './spoil-produce.ts'

/** What becomes of the answer to a produce request after the broker has appended: another error code, or silence. */
export type Spoil = { code: number } | 'silence'
export type KafkaProxy = {
  behind: (ports: readonly Ports[]) => Promise<Route[]>
  /** From now on nothing passes to and from this broker, or only its answers do not pass. */
  cut(broker: number, what: 'both' | 'answers'): void
  /** What was held back passes now, as it does when a network heals. */
  heal(): void
  /** Spoils every n-th answer to a produce request; null spoils none. */
  spoil(how: { every: number; as: Spoil } | null): void
  spoiled(): number
  close(): Promise<void>
}
/** Who may be cut off on this way: the broker it leads to, and for a way between controllers also the one it is from. */
type Link = { to: number; from?: number; client: Socket; server: Socket }

/**
 * Stands in front of three brokers: clients and followers reach a broker here only, and so do the controllers each
 * other. A broker that is cut off is therefore missed by the others, which elect another leader, while it goes on
 * believing that it leads.
 */
export function openKafkaProxy(): KafkaProxy {
  const links = new Set<Link>()
  const listening: Server[] = []
  let severed: { broker: number; what: 'both' | 'answers' } | null = null
  let spoiling: { every: number; as: Spoil } | null = null
  let produced = 0
  let spoiled = 0

  function listen(target: number, of: { to: number; from?: number; clients?: boolean }): Promise<number> {
    return new Promise((resolve) => {
      const server = createServer((client) => serve(client, target, of)).listen(0, '127.0.0.1', () => {
        listening.push(server)
        resolve((server.address() as { port: number }).port)
      })
    })
  }

  function serve(client: Socket, target: number, { clients, ...of }: { to: number; from?: number; clients?: boolean }) {
    const server = connect(target, '127.0.0.1')
    const link = { ...of, client, server }
    const frames = clients ? spoiler(nextSpoil) : null
    const close = () => {
      links.delete(link)
      client.destroy()
      server.destroy()
    }
    links.add(link)
    for (const socket of [client, server]) {
      socket.setNoDelay(true)
      socket.on('error', close)
      socket.on('close', close)
    }
    client.on('data', (chunk: Buffer) => {
      frames?.requests(chunk)
      server.write(chunk)
    })
    server.on('data', (chunk: Buffer) => {
      const passed = frames ? frames.answers(chunk) : chunk
      if (passed.length > 0) client.write(passed)
    })
    hold(link)
  }

  function nextSpoil(): Spoil | null {
    produced += 1
    if (spoiling === null || produced % spoiling.every !== 0) return null
    spoiled += 1
    return spoiling.as
  }

  function hold(link: Link): void {
    const isCut = severed !== null && (link.to === severed.broker || link.from === severed.broker)
    if (isCut) link.server.pause()
    else link.server.resume()
    if (isCut && severed?.what === 'both') link.client.pause()
    else link.client.resume()
  }

  return {
    async behind(ports) {
      const clients: number[] = []
      for (const [to, { client }] of ports.entries()) clients.push(await listen(client, { to, clients: true }))
      const controllers: number[] = []
      for (const [to, { controller }] of ports.entries()) controllers.push(await listen(controller, { to }))
      const routes: Route[] = []
      for (const from of ports.keys()) {
        const voters: string[] = []
        for (const [to, { controller }] of ports.entries())
          voters.push(`${to + 1}@127.0.0.1:${to === from ? controller : await listen(controller, { to, from })}`)
        const address = `127.0.0.1:${clients[from]}`
        const advertised = `PLAINTEXT://${address},CONTROLLER://127.0.0.1:${controllers[from]}`
        const settings = { 'advertised.listeners': advertised, 'controller.quorum.voters': voters.join(',') }
        routes.push({ address, settings })
      }
      return routes
    },
    cut(broker, what) {
      severed = { broker, what }
      for (const link of links) hold(link)
    },
    heal() {
      severed = null
      for (const link of links) hold(link)
    },
    spoil(how) {
      spoiling = how
    },
    spoiled: () => spoiled,
    async close() {
      for (const { client, server } of links) {
        client.destroy()
        server.destroy()
      }
      await Promise.all(listening.map((server) => new Promise((done) => server.close(done))))
    },
  }
}
