import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect } from 'chai'
import { parse } from 'yaml'
import { settingDefinitions } from '../../deploy/settings.ts'

type Service = {
  image: string
  build?: { context: string; dockerfile: string }
  user?: string
  cap_drop?: string[]
  security_opt?: string[]
  environment: Record<string, string>
  ports?: string[]
  volumes: string[]
  depends_on?: Record<string, { condition: string }>
  healthcheck: Record<'interval' | 'timeout' | 'start_period', string> & { test: string[]; retries: number }
  mem_limit: string
  profiles?: string[]
}
type Compose = { version?: string; services: Record<string, Service>; volumes: Record<string, unknown> }

const read = (path: string) => readFileSync(fileURLToPath(new URL(`../../${path}`, import.meta.url)), 'utf8')
const text = read('docker-compose.yml')
const compose = parse(text, { merge: true }) as Compose
const services = Object.entries(compose.services)
const brokers = ['kafka-1', 'kafka-2', 'kafka-3'].map((name) => compose.services[name] as Service)
const seconds = (duration: string) => {
  expect(duration).to.match(/^\d+s$/)
  return Number.parseInt(duration, 10)
}

describe('docker-compose.yml', () => {
  it('starts the app and Postgres by default, and Kafka only on request', () => {
    const byDefault = services.filter(([, service]) => !service.profiles).map(([name]) => name)
    expect(byDefault).to.deep.equal(['app', 'postgres'])
    expect(compose.services.kafka?.profiles).to.deep.equal(['kafka'])
    for (const { profiles } of brokers) expect(profiles).to.deep.equal(['kafka-cluster'])
    expect(compose).not.to.have.property('version')
  })

  for (const [name, service] of services) {
    describe(name, () => {
      it('pins its image to a full version', () => {
        expect(service.image).to.match(/^[a-z/-]+:\d+\.\d+(\.\d+)?(-[A-Za-z0-9]+)?(@sha256:[0-9a-f]{64})?$/)
      })

      it('has a health check that waits for the start', () => {
        const { test, interval, timeout, start_period, retries } = service.healthcheck
        expect(test[0]).to.be.oneOf(['CMD', 'CMD-SHELL'])
        expect(seconds(timeout)).to.be.below(seconds(interval))
        expect(seconds(start_period)).to.be.at.least(30)
        expect(retries).to.be.at.least(3)
      })

      it('is limited in memory', () => {
        expect(service.mem_limit).to.match(/^[1-9]\d*[mg]$/)
      })

      it('does not run as root and cannot become it', () => {
        const user = service.build ? lastUser(read(service.build.dockerfile)) : service.user
        expect(user)
          .to.be.a('string')
          .and.not.match(/^(root|0)(:|$)/)
        expect(service.cap_drop).to.deep.equal(['ALL'])
        expect(service.security_opt).to.include('no-new-privileges:true')
      })

      it('is reached from this machine only', () => {
        for (const port of service.ports ?? []) expect(port).to.match(/^127\.0\.0\.1:\d+:\d+$/)
      })

      it('keeps its data in volumes that the file names', () => {
        for (const volume of service.volumes) expect(compose.volumes).to.have.property(volume.split(':')[0] ?? '')
      })

      it('waits for health, not for a start', () => {
        for (const [other, { condition }] of Object.entries(service.depends_on ?? {})) {
          expect(compose.services).to.have.property(other)
          expect(condition).to.equal('service_healthy')
        }
      })

      it('takes its secrets from the environment and stops without them', () => {
        for (const value of Object.values(service.environment).filter((one) => one.includes('PASSWORD')))
          expect(value).to.match(/\$\{POSTGRES_PASSWORD:\?[^}]+\}/)
        for (const [key, value] of Object.entries(service.environment))
          if (/PASSWORD|SECRET|TOKEN|DATABASE_URL/.test(key)) expect(value, key).to.include('${POSTGRES_PASSWORD:?')
      })
    })
  }

  it('gives the app only settings that exist and values they accept', () => {
    const settings = Object.values(settingDefinitions)
    for (const [name, value] of Object.entries(compose.services.app?.environment ?? {})) {
      const setting = settings.find(({ env }) => env === name)
      expect(setting, name).not.to.equal(undefined)
      // What the environment fills in is empty by default, and an empty setting is one that is not set.
      if (/^\$\{\w+:-\}$/.test(value)) continue
      expect(() => setting?.parse(value), name).not.to.throw()
    }
  })

  it('seeds the demo organisations without the visitor', () => {
    expect(compose.services.app?.environment.ATOM_DEMO).to.equal('seed')
  })

  it('publishes and asks every port that the services listen on', () => {
    const { portMarketplace, portBilling, portGovernance, portPortal, portData } = settingDefinitions
    const check = compose.services.app?.healthcheck.test.join(' ') ?? ''
    const defaults = [portMarketplace, portBilling, portGovernance, portPortal, portData].map((port) => port.default)
    expect(compose.services.app?.ports).to.deep.equal(defaults.map((port) => `127.0.0.1:${port}:${port}`))
    for (const port of defaults) expect(check).to.include(port)
  })

  it('mounts the Postgres volume where version 18 keeps its data', () => {
    expect(compose.services.postgres?.volumes).to.deep.equal(['postgres-data:/var/lib/postgresql'])
  })

  it('makes the broker the bus only when the environment says so', () => {
    expect(compose.services.app?.environment.KAFKA_BROKERS).to.match(/^\$\{KAFKA_BROKERS:-\}$/)
    expect(JSON.stringify(compose.services.app?.depends_on)).to.not.include('kafka')
    expect(text).to.include('KAFKA_BROKERS=kafka:19092')
    expect(text).to.include('KAFKA_BROKERS=kafka-1:19092,kafka-2:19092,kafka-3:19092')
  })

  it('has three brokers that are one cluster, of which two must have a record', () => {
    for (const [index, { environment, ports, volumes }] of brokers.entries()) {
      const n = index + 1
      expect(environment).to.include({
        CLUSTER_ID: brokers[0]?.environment.CLUSTER_ID,
        KAFKA_NODE_ID: String(n),
        KAFKA_CONTROLLER_QUORUM_VOTERS: '1@kafka-1:9093,2@kafka-2:9093,3@kafka-3:9093',
        KAFKA_DEFAULT_REPLICATION_FACTOR: '3',
        KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR: '3',
        KAFKA_MIN_INSYNC_REPLICAS: '2',
        KAFKA_UNCLEAN_LEADER_ELECTION_ENABLE: 'false',
        KAFKA_AUTO_CREATE_TOPICS_ENABLE: 'false',
        KAFKA_ADVERTISED_LISTENERS: `INSIDE://kafka-${n}:19092,HOST://127.0.0.1:9${n}92`,
      })
      expect(environment.KAFKA_LISTENERS).to.include(`HOST://:9${n}92`)
      expect(ports).to.deep.equal([`127.0.0.1:9${n}92:9${n}92`])
      expect(volumes).to.deep.equal([`kafka-${n}-data:/var/lib/kafka/data`])
    }
    expect(compose.services.kafka?.environment.CLUSTER_ID).not.to.equal(brokers[0]?.environment.CLUSTER_ID)
  })
})

const lastUser = (dockerfile: string) => [...dockerfile.matchAll(/^USER\s+(\S+)/gm)].at(-1)?.[1]
