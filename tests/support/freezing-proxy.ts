import { connect, createServer, type Server, type Socket } from 'node:net'

export type FreezingProxy = {
  port: number
  /** From now on nothing passes on the connections that are open; new ones work. */
  freeze(): void
  /** The connection that sends this text next is frozen before it passes. */
  freezeAt(text: string): void
  /** Connections that were frozen so far. */
  frozen(): number
  close(): Promise<void>
}

/** Stands between a process and its database, whose connections go dead without ending, as when a host vanishes. */
export async function openFreezingProxy(socketFolder: string): Promise<FreezingProxy> {
  const pairs = new Set<[Socket, Socket]>()
  let trap: string | null = null
  let frozen = 0

  function stop(pair: [Socket, Socket]): void {
    pairs.delete(pair)
    frozen += 1
    for (const socket of pair) socket.removeAllListeners('data').pause()
  }

  function serve(client: Socket): void {
    const server = connect(`${socketFolder}/.s.PGSQL.5432`)
    const pair: [Socket, Socket] = [client, server]
    pairs.add(pair)
    const cut = () => {
      pairs.delete(pair)
      for (const socket of pair) socket.destroy()
    }
    for (const socket of pair) socket.on('error', cut).on('close', cut)
    client.on('data', (chunk: Buffer) => {
      if (trap === null || !chunk.includes(trap)) return void server.write(chunk)
      trap = null
      stop(pair)
    })
    server.on('data', (chunk: Buffer) => void client.write(chunk))
  }

  const open = new Set<Socket>()
  const listening = await new Promise<Server>((resolve) => {
    const server = createServer((client) => {
      open.add(client)
      serve(client)
    }).listen(0, '127.0.0.1', () => resolve(server))
  })
  return {
    port: (listening.address() as { port: number }).port,
    freeze: () => [...pairs].forEach(stop),
    freezeAt(text) {
      trap = text
    },
    frozen: () => frozen,
    async close() {
      for (const socket of open) socket.destroy()
      await new Promise((resolve) => listening.close(resolve))
    },
  }
}
