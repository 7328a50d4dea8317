type Armed = { point: string; where: string | null; left: number }

let armed: Armed | null = null

/**
 * A place between two steps that reach the disk or the network, where a crash must change nothing. Does nothing unless
 * this process was armed; `where` tells apart users of shared code, such as consumer groups.
 */
export function fault(point: string, where?: string): void {
  if (armed !== null) strike(armed, point, where)
}

/** Arms this process with `point[@where][:n]`: it dies when it comes there for the n-th time. Throws on other text. */
export function armFault(text: string): void {
  const found = /^([a-z][a-z.-]*)(?:@([a-z]+))?(?::([1-9]\d{0,8}))?$/.exec(text)
  if (!found) throw new Error(`ATOM_FAULT is point[@where][:n], not ${text}`)
  armed = { point: found[1] as string, where: found[2] ?? null, left: Number(found[3] ?? 1) }
}

function strike(on: Armed, point: string, where: string | undefined): void {
  if (on.point !== point || (on.where !== null && on.where !== where)) return
  on.left -= 1
  if (on.left > 0) return
  process.kill(process.pid, 'SIGKILL')
  // The kernel may take a moment with a process of several threads, and not one more step may be made.
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)
}
