import { setTimeout as pause } from 'node:timers/promises'
import { openFakeVault } from '../support/fake-vault.ts'
import type { Driving } from './drives.ts'
import { packagesFound, uploadPackage } from './packages.ts'
import { idle, insist, type Server, type Stage } from './stage.ts'

const namesOf = (name: string) => ['a', 'b'].map((letter) => `${name}-${letter}`)

/** Packages are approved while the key store is sealed, and published once it is open again. */
export function sealing(stage: Stage): Driving {
  const { orgs, world } = stage
  const partner = { token: orgs.demo.tokens.partner, service: 'marketplace' as const }
  const reviewer = { token: orgs.atom.tokens.reviewer as string, service: 'marketplace' as const }
  const opening = openFakeVault()
  const published = new Map<string, Promise<void>>()
  let newest = ''

  const sees = (server: Server, id: string, wanted: (seen: { status: string; waits_for: string | null }) => boolean) =>
    insist(server, 'GET', `/wpk/${id}`, partner, ({ body }) => wanted(body))

  async function publish(server: Server, name: string): Promise<void> {
    const vault = await opening
    newest = name
    await vault.seal()
    const ids: string[] = []
    for (const one of namesOf(name)) ids.push(await uploadPackage(stage, server, one))
    while ((await world.owner.query('select 1 from marketplace.signing_outage')).length === 0) await pause(50)
    const body = { decision: 'approve', justification: 'read whole' }
    // 409: the decision was stored before the crash that ate the answer.
    const decided = ({ status }: { status: number }) => status === 200 || status === 409
    for (const id of ids) await insist(server, 'POST', `/wpk/review/${id}`, { ...reviewer, body }, decided)
    const held = (seen: { status: string; waits_for: string | null }) =>
      seen.waits_for === 'signing_key' || seen.status === 'published'
    for (const id of ids) await sees(server, id, held)
    // Who came later has sealed it for its own packages, and opens it for all.
    if (newest === name) await vault.unseal()
    for (const id of ids) await sees(server, id, ({ status }) => status === 'published')
  }

  return {
    services: ['marketplace', 'governance'],
    async env() {
      const vault = await opening
      return { ATOM_VAULT_ADDR: vault.address, ATOM_VAULT_TOKEN: await vault.token() }
    },
    async push(server, name) {
      const done = publish(server, name)
      published.set(name, done)
      await done
    },
    async finish(last, name) {
      await published.get(name)
      while (!(await idle(last, 'marketplace'))) await pause(50)
      return packagesFound(stage, namesOf(name))
    },
    close: async () => (await opening).close(),
  }
}
