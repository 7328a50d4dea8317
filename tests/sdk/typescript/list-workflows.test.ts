import { randomUUID } from 'node:crypto'
import { expect } from 'chai'
import { AtomError, listWorkflows, publishWPK } from '../../../sdk/typescript/index.ts'
import { packageNamed, temporaryFolder, writePackage } from '../support/package-file.ts'
import { type ScriptedServer, startScriptedServer } from '../support/scripted-server.ts'
import { openTarget, type Target } from '../support/target.ts'

describe('sdk/typescript listWorkflows', () => {
  const folder = temporaryFolder()
  let target: Target
  let scripted: ScriptedServer
  before(async () => {
    target = await openTarget()
    scripted = await startScriptedServer()
  })
  after(async () => {
    folder.remove()
    await Promise.all([target.close(), scripted.close()])
  })

  it('lists every published package once, whatever the page size', async () => {
    const at = { baseUrl: target.marketApi }
    const whole = await listWorkflows({ limit: 500 }, at).toArray()
    const paged: string[] = []
    for await (const workflow of listWorkflows({ limit: 1 }, at)) paged.push(workflow.id)
    expect(whole.length).to.be.greaterThan(1)
    expect(whole.every(({ status }) => status === 'published')).to.equal(true)
    expect(paged).to.deep.equal(whole.map(({ id }) => id))
  })

  it('starts at the beginning each time and stops at max', async () => {
    const list = listWorkflows({ limit: 1 }, { baseUrl: target.marketApi })
    const first = await list.toArray({ max: 2 })
    expect(first).to.have.length(2)
    expect(await list.toArray({ max: 2 })).to.deep.equal(first)
    expect(await list.toArray({ max: 0 })).to.deep.equal([])
  })

  it('shows the organisation’s own unpublished packages only to its token', async () => {
    const name = `sdk-${randomUUID()}`
    const file = writePackage(folder.path, 'own.json', packageNamed(name))
    const at = { baseUrl: target.marketApi }
    await publishWPK(file, target.apiKey, { ...at, signingKey: target.privateKeyPath })
    const names = async (token?: string) =>
      (await listWorkflows({ q: name }, { ...at, token }).toArray()).map((workflow) => workflow.name)
    expect(await names(target.apiKey)).to.deep.equal([name])
    expect(await names(target.otherApiKey)).to.deep.equal([])
    expect(await names()).to.deep.equal([])
  })

  it('sends the query and each cursor back as it came, and asks for no page it does not need', async () => {
    const page = (id: string, next: string | null) => ({ status: 200, json: { wpks: [{ id }], count: 1, next } })
    scripted.play([page('a', 'b+/=&'), { status: 200, json: { wpks: [], count: 0, next: 'c' } }, page('d', null)])
    const found = await listWorkflows({ q: 'x y', tag: 't' }, { baseUrl: scripted.url }).toArray()
    expect(found.map(({ id }) => id)).to.deep.equal(['a', 'd'])
    const cursors = scripted.heard().map(({ path }) => new URL(path, 'http://x').searchParams)
    expect(cursors.map((params) => params.get('cursor'))).to.deep.equal([null, 'b+/=&', 'c'])
    expect(cursors.every((params) => params.get('q') === 'x y' && params.get('tag') === 't')).to.equal(true)
    scripted.play([page('a', 'b')])
    await listWorkflows({}, { baseUrl: scripted.url }).toArray({ max: 1 })
    expect(scripted.heard()).to.have.length(1)
  })

  it('stops when the service repeats a cursor', async () => {
    const same = { status: 200, json: { wpks: [], count: 0, next: 'again' } }
    scripted.play([same, same, same])
    const error = await listWorkflows({}, { baseUrl: scripted.url })
      .toArray()
      .catch((thrown: unknown) => thrown)
    expect(error).to.be.instanceOf(AtomError).and.include({ code: 'cursor_loop' })
    expect(scripted.heard()).to.have.length(2)
  })
})
