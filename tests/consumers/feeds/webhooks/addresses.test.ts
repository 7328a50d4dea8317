import { expect } from 'chai'
import fc from 'fast-check'
import { isPublicAddress, urlFault } from '../../../../consumers/feeds/webhooks/addresses.ts'
import { holds } from '../../../support/property.ts'

const rules = { allowPrivate: false }

describe('consumers/feeds/webhooks: addresses', () => {
  for (const address of [
    ...['0.0.0.0', '0.1.2.3', '10.1.2.3', '100.64.0.1', '127.0.0.1', '127.255.0.9', '169.254.169.254', '172.16.0.1'],
    ...['172.31.255.255', '192.0.0.8', '192.0.2.1', '192.88.99.1', '192.168.1.1', '198.18.0.1', '198.51.100.7'],
    ...['203.0.113.9', '224.0.0.1', '239.255.255.255', '240.0.0.1', '255.255.255.255'],
    ...['::', '::1', '::ffff:127.0.0.1', '::ffff:8.8.8.8', '::127.0.0.1', '64:ff9b::7f00:1', '64:ff9b:1::1', '100::1'],
    ...['2001::1', '2001:db8::1', '2002:7f00:1::', '3fff::1', 'fc00::1', 'fd12:3456::1', 'fe80::1', 'fe80::1%eth0'],
    ...['fec0::1', 'ff02::1', '2606:4700::1%eth0', '5f00::1', '', 'localhost', '1.2.3'],
  ])
    it(`does not call ${address || 'nothing'}`, () => expect(isPublicAddress(address)).to.equal(false))

  for (const address of ['8.8.8.8', '1.1.1.1', '172.32.0.1', '100.128.0.1', '2606:4700:4700::1111', '2a00:1450::1'])
    it(`calls ${address}`, () => expect(isPublicAddress(address)).to.equal(true))

  it('calls no private IPv4 address, however an IPv6 address carries it', () =>
    holds(
      fc.property(
        fc.constantFrom([10], [127], [169, 254], [192, 168], [172, 20], [100, 100], [0]),
        fc.array(fc.nat(255), { minLength: 4, maxLength: 4 }),
        (net, rest) => {
          const bytes = [...net, ...rest].slice(0, 4)
          const text = bytes.join('.')
          const hex = Buffer.from(bytes)
            .toString('hex')
            .replace(/(.{4})(.{4})/, '$1:$2')
          const forms = [text, `::ffff:${text}`, `::${text}`, `64:ff9b::${text}`, `2002:${hex}::`, `::ffff:0:${hex}`]
          for (const one of forms) expect(isPublicAddress(one), one).to.equal(false)
        },
      ),
    ))

  for (const url of [
    'http://example.com/',
    'ftp://example.com/',
    'https://127.0.0.1/',
    'https://2130706433/',
    'https://0x7f.1/',
    'https://127.1/',
    'https://[::1]/',
    'https://[::ffff:169.254.169.254]/',
    'https://169.254.169.254/latest/meta-data',
    'https://user:pass@example.com/',
    'https://example.com/#a',
    `https://example.com/${'a'.repeat(2048)}`,
    'example.com',
    '',
  ])
    it(`refuses ${url.slice(0, 60) || 'an empty URL'}`, () => expect(urlFault(url, rules)).to.be.a('string'))

  it('takes an https address of a name, and for development any', () => {
    expect(urlFault('https://example.com:8443/hooks?a=b', rules)).to.equal(null)
    expect(urlFault('http://127.0.0.1:9/', { allowPrivate: true })).to.equal(null)
  })
})
