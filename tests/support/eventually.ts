type Found<T> = Exclude<T, false | null | undefined>

/** Asks again, every few milliseconds, until `check` gives something true; fails after `withinMs` with `what`. */
export async function eventually<T>(what: string, check: () => Promise<T> | T, withinMs = 5_000): Promise<Found<T>> {
  const deadline = performance.now() + withinMs
  for (;;) {
    const found = await check()
    if (found) return found as Found<T>
    if (performance.now() > deadline) throw new Error(`not within ${withinMs} ms: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

/** A promise that somebody else settles: how a test holds another piece of work at a known place. */
export function gate(): { open: () => void; opened: Promise<void> } {
  let open = () => {}
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  return { open, opened }
}
