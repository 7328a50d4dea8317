import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect } from 'chai'
import { serverProperties } from '../../../deploy/kafka/properties.ts'
import { eventually } from '../../support/eventually.ts'
import { kafkaOrSkip } from '../../support/kafka.ts'

const root = fileURLToPath(new URL('../../..', import.meta.url))
/** Says `brokers pid` once Kafka runs, and then stays. */
const STARTER = `
  import { startKafka } from './deploy/kafka/start.ts'
  import { silentLog } from './platform/log.ts'
  const kafka = await startKafka({ folder: process.env.FOLDER, brokers: 1, log: silentLog })
  console.log(kafka.brokers.join(), kafka.broker(0).pid)
  setInterval(() => {}, 1000)`

describe('deploy/kafka', () => {
  const ports = (count: number) =>
    Array.from({ length: count }, (_, n) => ({ client: 9092 + 2 * n, controller: 9093 + 2 * n }))

  it('describes one broker that needs nobody else', () => {
    const text = serverProperties(0, ports(1), '/data')
    for (const line of [
      'node.id=1',
      'listeners=PLAINTEXT://127.0.0.1:9092,CONTROLLER://127.0.0.1:9093',
      'controller.quorum.voters=1@127.0.0.1:9093',
      'auto.create.topics.enable=false',
      'offsets.topic.replication.factor=1',
      'min.insync.replicas=1',
    ])
      expect(text.split('\n')).to.include(line)
  })

  it('describes three brokers of which two must have a record', () => {
    const text = serverProperties(2, ports(3), '/data')
    for (const line of [
      'node.id=3',
      'listeners=PLAINTEXT://127.0.0.1:9096,CONTROLLER://127.0.0.1:9097',
      'controller.quorum.voters=1@127.0.0.1:9093,2@127.0.0.1:9095,3@127.0.0.1:9097',
      'default.replication.factor=3',
      'min.insync.replicas=2',
      'unclean.leader.election.enable=false',
      'transaction.state.log.min.isr=2',
    ])
      expect(text.split('\n')).to.include(line)
  })

  it('lets what is between brokers and clients have the last word', () => {
    const lines = serverProperties(0, ports(1), '/data', { 'advertised.listeners': 'PLAINTEXT://127.0.0.1:7' }).split(
      '\n',
    )
    expect(lines.filter((line) => line.startsWith('advertised.listeners'))).to.deep.equal([
      'advertised.listeners=PLAINTEXT://127.0.0.1:7',
    ])
  })

  it('takes the broker along when the process that started it is killed', async function () {
    await kafkaOrSkip(this)
    const folder = await mkdtemp(join(tmpdir(), 'atom-test-kafka-'))
    const starter: ChildProcess = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', STARTER], {
      cwd: root,
      env: { ...process.env, FOLDER: folder },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    try {
      let said = ''
      starter.stdout?.on('data', (chunk) => (said += chunk))
      await eventually('it runs', () => said.endsWith('\n'), 60_000)
      const pid = Number(said.trim().split(' ')[1])
      expect(alive(pid)).to.equal(true)
      starter.kill('SIGKILL')
      await eventually('the broker is gone', () => !alive(pid), 10_000)
    } finally {
      starter.kill('SIGKILL')
      await rm(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 })
    }
  })
})

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
