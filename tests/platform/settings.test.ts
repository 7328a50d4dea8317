import { expect } from 'chai'
import {
  addressesSetting,
  countSetting,
  envExample,
  optionalSetting,
  percentSetting,
  portSetting,
  readSettings,
  SettingsInvalid,
  textSetting,
  unknownSettings,
} from '../../platform/settings.ts'

const definitions = {
  home: textSetting('ATOM_HOME', '.atom', 'Where things are kept'),
  port: portSetting('ATOM_PORT', '8050', 'Port'),
  hours: countSetting('ATOM_HOURS', '24', 'Hours'),
  share: percentSetting('ATOM_SHARE', '80', 'Share'),
  url: optionalSetting('DATABASE_URL', '', 'Server', { secret: true }),
}

describe('platform/settings', () => {
  it('uses the default of what is not set, and ignores what is not ours', () => {
    expect(readSettings(definitions, { PATH: '/bin', HOME: '/root' })).to.deep.equal({
      home: '.atom',
      port: 8050,
      hours: 24,
      share: '80',
      url: undefined,
    })
  })

  it('names all problems together', () => {
    const env = { ATOM_PORT: '65536', ATOM_HOURS: '-1', ATOM_SHARE: '101' }
    expect(() => readSettings(definitions, env))
      .to.throw(SettingsInvalid)
      .with.property('message')
      .that.matches(/ATOM_PORT .*ATOM_HOURS .*ATOM_SHARE /s)
  })

  it('takes several addresses, and none for none', () => {
    const brokers = { brokers: addressesSetting('BROKERS', '', 'Brokers') }
    expect(readSettings(brokers, { BROKERS: 'a:9092, 127.0.0.1:9094' }).brokers).to.deep.equal([
      'a:9092',
      '127.0.0.1:9094',
    ])
    expect(readSettings(brokers, {}).brokers).to.equal(undefined)
    for (const wrong of ['a', 'a:9092,', 'kafka://a:9092', 'a b:1'])
      expect(() => readSettings(brokers, { BROKERS: wrong }), wrong).to.throw(
        SettingsInvalid,
        /BROKERS must be host:port/,
      )
  })

  it('finds a misspelt name, and knows those that other programs of the project read', () => {
    const env = { ATOM_SIGNING_KEY: 'x', ATOM_HOEM: '/tmp', ATOM_HOME: '/tmp', PATH: '/bin' }
    expect(unknownSettings(definitions, env, ['ATOM_SIGNING_KEY'])).to.deep.equal(['ATOM_HOEM'])
  })

  it('never shows the value of a secret in a problem', () => {
    const secret = { url: portSetting('DATABASE_PORT', '1', 'Server', { secret: true }) }
    expect(() => readSettings(secret, { DATABASE_PORT: 'hunter2' }))
      .to.throw(SettingsInvalid)
      .with.property('message')
      .not.contain('hunter2')
  })

  for (const text of ['1e3', '0x50', ' 80', '80.0', '99999999999'])
    it(`refuses «${text}» as a port`, () => {
      expect(() => readSettings(definitions, { ATOM_PORT: text })).to.throw('ATOM_PORT')
    })

  for (const text of ['0', '100', '100.00', '33.333333', '7.5'])
    it(`accepts ${text} %`, () => {
      expect(readSettings(definitions, { ATOM_SHARE: text }).share).to.equal(text)
    })
  for (const text of ['100.01', '-1', '1e1', '33.3333333', 'all'])
    it(`refuses ${text} %`, () => {
      expect(() => readSettings(definitions, { ATOM_SHARE: text })).to.throw('ATOM_SHARE')
    })

  it('writes an env file with every setting', () => {
    const text = envExample(definitions)
    for (const { env, description } of Object.values(definitions))
      expect(text).to.contain(`# ${description}\n`).and.contain(`${env}=`)
    expect(text).to.contain('\nATOM_PORT=8050\n').and.contain('\n# DATABASE_URL=\n')
  })
})
