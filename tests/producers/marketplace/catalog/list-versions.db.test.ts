import { expect } from 'chai'
import fc from 'fast-check'
import { holds } from '../../../support/property.ts'
import { type Marketplace, openMarketplace, type Problem } from '../fixture.ts'

type List = {
  wpks: { id: string; name: string; version: string; status: string }[]
  count: number
  next: string | null
}

describe('producers/marketplace/catalog: search', () => {
  let market: Marketplace
  before(async () => {
    market = await openMarketplace()
    await market.upload({ name: 'restart-workers', description: 'Ends stuck jobs.', tags: ['ops', 'k8s.io/jobs'] })
    await market.upload({ name: 'restart', description: 'All of it.' })
    await market.upload({ name: 'scale-web', description: 'Restarts and scales pods, when they are slow.' })
    await market.upload({ name: 'who', description: 'Tells who is there.' })
    await market.upload({ name: 'acme-restart', description: 'A draft.' }, 'acme')
  })
  after(() => market.close())

  const list = async (query: string, as = market.tokens.demo) =>
    (await market.call<List>('GET', `/wpk/list?${query}`, { as })).body
  const names = async (q: string, as?: string) =>
    (await list(new URLSearchParams({ q }).toString(), as)).wpks.map(({ name }) => name)

  it('puts the name itself first, then names with all the words, then everything else', async () => {
    expect(await names('restart')).to.deep.equal(['restart', 'restart-workers', 'scale-web'])
    expect(await names('Restart-Workers')).to.deep.equal(['restart-workers'])
  })

  it('finds the beginning of the last word of a name, stems in texts, and tags', async () => {
    expect(await names('restart wor')).to.deep.equal(['restart-workers'])
    expect(await names('scaling pod')).to.deep.equal(['scale-web'])
    expect(await names('ops')).to.deep.equal(['restart-workers'])
    expect(await names('k8s jobs')).to.deep.equal(['restart-workers'])
  })

  it('takes phrases, "or" and "not", and names of words that say nothing', async () => {
    expect(await names('"stuck jobs"')).to.deep.equal(['restart-workers'])
    expect(await names('"jobs stuck"')).to.deep.equal([])
    expect(await names('stuck or slow')).to.deep.equal(['scale-web', 'restart-workers'])
    expect(await names('restart -slow')).to.deep.equal(['restart', 'restart-workers'])
    expect(await names('who')).to.deep.equal(['who'])
  })

  it('finds nothing of another organisation that is not published, and no more than the filters let through', async () => {
    expect(await names('acme')).to.deep.equal([])
    expect(await names('acme', market.tokens.acme)).to.deep.equal(['acme-restart'])
    expect(await names('restart', market.tokens.reviewer)).to.include('acme-restart')
    expect((await list('q=restart&tag=ops')).wpks.map(({ name }) => name)).to.deep.equal(['restart-workers'])
    expect((await list('q=restart&status=published')).wpks).to.deep.equal([])
    expect((await list('q=restart&publisher=acme')).wpks).to.deep.equal([])
  })

  it('takes any text for a search', () =>
    holds(
      fc.asyncProperty(fc.string({ unit: 'binary', maxLength: 60 }), async (q) => {
        const { status, body } = await market.call<Problem>('GET', `/wpk/list?${new URLSearchParams({ q })}`, {
          as: market.tokens.demo,
        })
        expect(status, JSON.stringify(q)).to.equal(q.includes('\0') ? 400 : 200)
        if (status === 400) expect(body.code).to.equal('parameter_invalid')
      }),
      30,
    ))

  it('refuses a cursor of another list', async () => {
    const plain = (await list('limit=1')).next as string
    const { status, body } = await market.call<Problem>('GET', `/wpk/list?q=restart&cursor=${plain}`, {
      as: market.tokens.demo,
    })
    expect([status, body.code]).to.deep.equal([400, 'parameter_invalid'])
  })

  it('pages through all that was there once, whatever is published between the pages', async () => {
    const owner = market.database.as('postgres')
    let made = 0
    /** Versions as an upload stores them, without the cost of one. */
    const insert = async (kinds: readonly string[]) => {
      for (const kind of kinds) {
        made += 1
        const [name, description] = {
          named: [`paged-${made}`, 'x'],
          told: [`other-${made}`, 'It is paged.'],
          neither: [`none-${made}`, 'x'],
        }[kind] as [string, string]
        await owner.query(
          `with n as (insert into marketplace.names (name, org, created_at) values (?, 'demo', now()))
           insert into marketplace.versions (org, id, name, version, digest, media_type, description, tags, safety_mode,
             status, reason, key_id, signature_form, signature, submitted_at, due_at)
           select org, ?::uuid, ?, version, digest, media_type, ?, '{}', safety_mode, status, reason, key_id,
             signature_form, signature, submitted_at, due_at from marketplace.versions where name = 'restart'`,
          [name, `0199${made.toString(16).padStart(4, '0')}-0000-7000-8000-000000000000`, name, description],
        )
      }
    }
    const kind = fc.constantFrom('named', 'told', 'neither')
    await holds(
      fc.asyncProperty(
        fc.array(kind, { maxLength: 6 }),
        fc.integer({ min: 1, max: 4 }),
        fc.array(fc.array(kind, { maxLength: 2 }), { maxLength: 5 }),
        fc.constantFrom('q=paged&', ''),
        async (first, limit, meanwhile, query) => {
          await insert(first)
          const present = (await list(`${query}limit=500`)).wpks.map(({ id }) => id)
          const seen: string[] = []
          let cursor = ''
          for (let round = 0; ; round += 1) {
            const { wpks, next } = await list(`${query}limit=${limit}${cursor}`)
            seen.push(...wpks.map(({ id }) => id))
            if (next === null) break
            cursor = `&cursor=${next}`
            await insert(meanwhile[round] ?? [])
          }
          expect(new Set(seen).size, 'no version twice').to.equal(seen.length)
          expect(seen.filter((id) => present.includes(id))).to.deep.equal(present)
        },
      ),
      12,
    )
  })
})
