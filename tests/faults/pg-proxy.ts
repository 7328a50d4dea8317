import { connect, createServer, type Server, type Socket } from 'node:net'

export type PgProxy = {
  port: number
  /** Replies to COMMIT that were eaten so far. */
  eaten(): number
  /** From now on the reply to every n-th COMMIT is eaten and its connection cut; 0 eats none. */
  eatEvery(n: number): void
  close(): Promise<void>
}

const SIMPLE_QUERY = 'Q'.charCodeAt(0)

/**
 * Stands between a process and its database. A COMMIT passes, and when the server has confirmed it the client is cut
 * off instead of told: it cannot know whether its transaction exists.
 */
export async function openPgProxy(socketFolder: string): Promise<PgProxy> {
  const open = new Set<Socket>()
  let every = 0
  let commits = 0
  let eaten = 0

  function serve(client: Socket): void {
    const server = connect(`${socketFolder}/.s.PGSQL.5432`)
    const eat = { waiting: false }
    const isCommit = commitWatcher()
    const cut = () => {
      client.destroy()
      server.destroy()
    }
    for (const socket of [client, server]) {
      open.add(socket)
      socket.on('error', cut)
      socket.on('close', () => {
        open.delete(socket)
        cut()
      })
    }
    client.on('data', (chunk: Buffer) => {
      if (isCommit(chunk) && every > 0 && ++commits % every === 0) eat.waiting = true
      server.write(chunk)
    })
    server.on('data', (chunk: Buffer) => {
      if (!eat.waiting) return void client.write(chunk)
      if (!chunk.includes('COMMIT')) return
      eaten += 1
      cut()
    })
  }

  const listening = await new Promise<Server>((resolve) => {
    const server = createServer(serve).listen(0, '127.0.0.1', () => resolve(server))
  })
  return {
    port: (listening.address() as { port: number }).port,
    eaten: () => eaten,
    eatEvery(n) {
      every = n
    },
    async close() {
      for (const socket of open) socket.destroy()
      await new Promise((resolve) => listening.close(resolve))
    },
  }
}

/** Follows a client's messages and says whether the last chunk completed a COMMIT. */
function commitWatcher(): (chunk: Buffer) => boolean {
  let rest: Buffer = Buffer.alloc(0)
  let started = false
  return (chunk) => {
    rest = Buffer.concat([rest, chunk])
    let found = false
    for (;;) {
      // The first message has no type byte.
      const head = started ? 1 : 0
      if (rest.length < head + 4) return found
      const length = head + rest.readUInt32BE(head)
      if (rest.length < length) return found
      if (started && rest[0] === SIMPLE_QUERY && /^commit;?\0$/i.test(rest.toString('latin1', 5, length))) found = true
      started = true
      rest = rest.subarray(length)
    }
  }
}
