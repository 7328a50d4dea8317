import { existsSync } from 'node:fs'
import { mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { ensurePortalBuilt, pageSize } from '../../../portal/build.ts'

const log = { info: () => {} }

describe('portal build', function () {
  this.timeout(60_000)
  let parent = ''
  before(async () => {
    parent = await mkdtemp(join(tmpdir(), 'portal-build-'))
  })
  after(async () => {
    await rm(parent, { recursive: true, force: true })
  })

  it('leaves one whole page when two build at once', async () => {
    const dir = join(parent, 'dist')
    const results = await Promise.all([ensurePortalBuilt({ log, dir }), ensurePortalBuilt({ log, dir })])
    expect(results.map((result) => result.built)).to.deep.equal([true, true])
    const html = await readFile(join(dir, 'index.html'), 'utf8')
    const named = [...html.matchAll(/"\/(assets\/[^"]+)"/g)].map((match) => match[1] ?? '')
    expect(named).to.have.length(3)
    for (const name of named) expect(existsSync(join(dir, name)), name).to.equal(true)
    expect(await readdir(parent)).to.deep.equal(['dist'])
  })

  it('bundles React for production whatever NODE_ENV says here', async () => {
    const assets = join(parent, 'dist', 'assets')
    const script = (await readdir(assets)).find((name) => name.endsWith('.js')) ?? ''
    expect(await readFile(join(assets, script), 'utf8')).not.to.include('Download the React DevTools')
  })

  it('does nothing when the page is up to date', async () => {
    const { built } = await ensurePortalBuilt({ log, dir: join(parent, 'dist') })
    expect(built).to.equal(false)
  })

  it('replaces a page of other sources and clears what a dead build left', async () => {
    const dir = join(parent, 'dist')
    await writeFile(join(dir, 'build-stamp.txt'), 'of other sources')
    await writeFile(join(dir, 'assets', 'old.js'), '')
    await writeFile(`${dir}.tmp-1-dead`, '')
    await utimes(`${dir}.tmp-1-dead`, new Date(0), new Date(0))
    expect((await ensurePortalBuilt({ log, dir })).built).to.equal(true)
    expect(await readdir(join(dir, 'assets'))).not.to.include('old.js')
    expect(await readdir(parent)).to.deep.equal(['dist'])
  })

  // The budget of the first page: 95 kB of script and 12 kB of styles, gzipped.
  it('keeps the first page within its budget', async () => {
    const size = await pageSize(join(parent, 'dist'))
    expect(size.script).to.be.within(1, 95_000)
    expect(size.style).to.be.within(1, 12_000)
  })

  it('makes a page that refers to no other host', async () => {
    const html = await readFile(join(parent, 'dist', 'index.html'), 'utf8')
    expect(html).not.to.match(/(?:src|href)="(?:https?:)?\/\//)
    expect(html).not.to.match(/<script(?![^>]*\ssrc=)/)
    expect(html).not.to.match(/<style|\sstyle=/)
  })
})
