import { spawn } from 'node:child_process'
import { chmod, mkdir, mkdtemp, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'chai'
import { checkout, freshHome, type Home, portSettings, request, startSystem } from '../../reports/running-system.ts'
import { skipAloud } from '../support/skip-aloud.ts'

describe('starting and stopping', function () {
  this.timeout(120_000)
  const homes: Home[] = []
  const home = async () => {
    const made = await freshHome()
    homes.push(made)
    return made
  }
  after(() => Promise.all(homes.map((one) => one.remove())))

  it('runs two installations beside each other', async () => {
    const [one, two] = [await home(), await home()]
    const [first, second] = await Promise.all([startSystem(one), startSystem(two)])
    const packages = async (of: Home) =>
      (await request('GET', `${of.urls.marketplace}/wpk/list`)).body as { wpks: { id: string }[] }
    expect((await packages(one)).wpks[0]?.id).to.not.equal((await packages(two)).wpks[0]?.id)
    await Promise.all([first.stop(), second.stop()])
  })

  it('says which port is taken, and leaves the running installation alone', async () => {
    const one = await home()
    const first = await startSystem(one)
    const { code, output } = await run(one, [])
    expect(code).to.equal(1)
    expect(output).to.match(/Could not start: port \d+ is taken; stop what uses it or set ATOM_PORT_MARKETPLACE/)
    expect((await request('GET', `${one.urls.marketplace}/health`)).status).to.equal(200)
    await first.stop()
  })

  it('lets each service run alone, joined to the same database', async () => {
    const one = await home()
    const first = await startSystem(one)
    const two = await home()
    const billing = startAlone({ ...two, folder: one.folder }, 'billing')
    const begun = performance.now()
    let status = 0
    while (status !== 200 && performance.now() - begun < 30_000)
      status = await request('GET', `${two.urls.billing}/health`).then(
        (answer) => answer.status,
        () => 0,
      )
    expect(status, billing.output()).to.equal(200)
    const alone = await request('GET', `${two.urls.billing}/billing/invoice/demo`)
    const whole = await request('GET', `${one.urls.billing}/billing/invoice/demo`)
    expect((alone.body as { total: string }).total).to.equal((whole.body as { total: string }).total)
    expect(await billing.stop()).to.equal(0)
    expect((await request('GET', `${one.urls.billing}/health`)).status).to.equal(200)
    await first.stop()
  })

  it('refuses to open the demo visitor to the network or in production', async () => {
    const one = await home()
    for (const env of [{ ATOM_BIND: '0.0.0.0' }, { NODE_ENV: 'production' }]) {
      const { code, output } = await run(one, [], { ...env, ATOM_DEMO: 'on' })
      expect(code).to.equal(1)
      expect(output).to.include('ATOM_DEMO=on lets anybody read')
    }
  })

  it('names every wrong setting at once, and an unknown service', async () => {
    const one = await home()
    const wrong = await run(one, [], { ATOM_PORT_DATA: 'x', ATOM_PARTNER_SHARE_PERCENT: '101' })
    expect(wrong.code).to.equal(1)
    expect(wrong.output).to.match(/ATOM_PORT_DATA must be .*ATOM_PARTNER_SHARE_PERCENT must be/)
    expect((await run(one, ['bililng'])).output).to.include('no service bililng; there are marketplace, billing')
  })

  it('keeps secrets to its user: credentials and keys are 0600', async () => {
    const one = await home()
    const system = await startSystem(one)
    for (const name of ['credentials.json', 'demo.key', 'acme.key', 'issuer.json'])
      expect((await stat(join(one.folder, 'dev', name))).mode & 0o777, name).to.equal(0o600)
    await system.stop()
  })

  it('works as root from a home that nobody else can enter, and as an ordinary user', async function () {
    if (process.getuid?.() !== 0) {
      skipAloud(this, 'root', 'starting as another user needs root')
    }
    const locked = await mkdtemp(join(tmpdir(), 'atom-locked-'))
    const one = await home()
    const inside = { ...one, folder: join(locked, 'home') }
    const asRoot = await startSystem(inside)
    await asRoot.stop()
    const data = join('/var/tmp', `atom-data-${await readFile(join(inside.folder, 'postgres.id'), 'utf8')}`)
    await rm(locked, { recursive: true })
    await rm(data, { recursive: true })
    await rm(`${data}.home`)

    const nobodys = join(one.folder, 'nobody')
    await mkdir(nobodys, { mode: 0o777 })
    await chmod(nobodys, 0o777)
    const { code, output } = await run(
      { ...one, folder: join(nobodys, 'home') },
      [],
      { HOME: nobodys, TMPDIR: nobodys },
      65_534,
      'Ctrl-C stops',
    )
    expect(code, output).to.equal(0)
  })
})

type Alone = { output: () => string; stop(): Promise<number | null> }

function startAlone(home: Home, ...names: string[]): Alone {
  const child = spawn(process.execPath, ['--import', 'tsx', 'main.ts', ...names], { cwd: checkout, env: envOf(home) })
  let text = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (text += chunk))
  const ended = new Promise<number | null>((resolve) => child.once('exit', resolve))
  return {
    output: () => text,
    stop() {
      child.kill('SIGTERM')
      return ended
    },
  }
}

/** Runs to its end, or until it says `until` and is then stopped. */
function run(
  home: Home,
  args: string[],
  env = {},
  uid?: number,
  until?: string,
): Promise<{ code: number | null; output: string }> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, ['--import', 'tsx', 'main.ts', ...args], {
      cwd: checkout,
      env: { ...envOf(home), ...env },
      ...(uid === undefined ? {} : { uid, gid: uid }),
      timeout: 40_000,
    })
    let output = ''
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (chunk) => {
        output += chunk
        if (until && output.includes(until)) child.kill('SIGINT')
      })
    child.once('close', (code) => resolve({ code, output }))
  })
}

const envOf = (home: Home) => ({ ...process.env, ATOM_HOME: home.folder, ...portSettings(home) })
