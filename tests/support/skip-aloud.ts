/** Skips what this machine cannot run, so that it is heard; a tool that ATOM_REQUIRE names must be there instead. */
export function skipAloud(context: Mocha.Context, tool: string, reason: string): never {
  if ((process.env.ATOM_REQUIRE ?? '').split(',').includes(tool))
    throw new Error(`ATOM_REQUIRE names ${tool}: ${reason}`)
  console.warn(`SKIPPED for want of ${tool}: ${reason}`)
  return context.skip()
}
