import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { expect } from 'chai'
import { type Browser, type BrowserContextOptions, chromium, type Locator, type Page } from 'playwright-core'
import { ensurePortalBuilt } from '../../../portal/build.ts'
import { skipAloud } from '../../support/skip-aloud.ts'
import { type CannedAnswers, empty, failing, loaded } from './canned-answers.ts'
import { type ServedPage, servePage } from './serve-page.ts'

const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium'
const flags = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]
const wcag = ['wcag2a', 'wcag2aa', 'wcag21aa', 'wcag22aa']

type Trouble = { foreign: string[]; violations: string[]; errors: string[] }
type Opened = { page: Page; trouble: Trouble }

// Counted inside the page, where a question is begun at once; on the server "none so far" could mean "not yet here".
const countingFetch = `
  const real = window.fetch.bind(window)
  window.counts = { begun: 0, ended: 0 }
  window.fetch = async (...args) => {
    window.counts.begun += 1
    const response = await real(...args)
    const body = await response.text()
    window.counts.ended += 1
    return new Response(body, response)
  }`

// innerText and not textContent: what a phone or a screen hides must not count as shown
const shown = (locator: Locator): Promise<string> => locator.innerText()
const shownEach = async (locator: Locator): Promise<string[]> => Promise.all((await locator.all()).map(shown))

describe('portal page in Chromium', function () {
  this.timeout(60_000)
  let browser: Browser
  let served: ServedPage
  let axeSource = ''

  before(async function () {
    if (!existsSync(executablePath)) {
      skipAloud(this, 'chromium', `the page needs ${executablePath}; install it or set CHROMIUM`)
    }
    const { dir } = await ensurePortalBuilt({ log: { info: () => {} } })
    served = await servePage(dir, loaded)
    browser = await chromium.launch({ executablePath, args: flags })
    axeSource = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
  })
  after(async () => {
    await browser?.close()
    await served?.close()
  })

  const opened: Page[] = []
  afterEach(async () => {
    for (const page of opened.splice(0)) await page.context().close()
  })

  const open = async (answers: CannedAnswers, options: BrowserContextOptions = {}): Promise<Opened> => {
    served.answers = answers
    served.asked = []
    served.gate = null
    const page = await (await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options })).newPage()
    opened.push(page)
    const trouble: Trouble = { foreign: [], violations: [], errors: [] }
    page.on('request', (request) => {
      if (!request.url().startsWith(`${served.origin}/`) && !request.url().startsWith('data:'))
        trouble.foreign.push(request.url())
    })
    page.on('pageerror', (error) => trouble.errors.push(String(error)))
    page.on('console', (message) => {
      if (/content security policy/i.test(message.text())) trouble.violations.push(message.text())
    })
    await page.goto(served.origin)
    await settled(page)
    return { page, trouble }
  }
  const settled = (page: Page) =>
    page.waitForFunction(() => document.querySelectorAll('section').length === 3 && !document.querySelector('.outline'))

  const axe = async (page: Page): Promise<string[]> => {
    // Through the debugger, which the content security policy of the page does not bind.
    await page.evaluate(axeSource)
    return await page.evaluate(async (tags) => {
      const { axe: checker } = globalThis as unknown as {
        axe: {
          run: (options: object) => Promise<{
            violations: { id: string; nodes: { html: string; failureSummary?: string }[] }[]
          }>
        }
      }
      const result = await checker.run({ runOnly: { type: 'tag', values: tags } })
      return result.violations.flatMap((rule) =>
        rule.nodes.map((node) => `${rule.id}: ${node.html} ${node.failureSummary}`),
      )
    }, wcag)
  }
  const button = (page: Page, name: string | RegExp) =>
    page.getByRole('button', { name, exact: typeof name === 'string' })
  const quiet: Trouble = { foreign: [], violations: [], errors: [] }

  it('shows revenue as stacked columns with their totals and how old they are', async () => {
    const { page } = await open(loaded)
    const revenue = page.locator('#revenue')
    expect(await shown(revenue.locator('.freshness'))).to.equal('as of 14:03:07, 2 s behind')
    expect(await revenue.locator('[data-month="2026-10"] rect').count()).to.equal(3)
    expect(await revenue.locator('svg .total').allTextContents()).to.deep.equal([
      '310.00',
      '905.75',
      '-42.00',
      '1,204.10',
      '2,012.50',
      '1,890.40',
    ])
    expect(
      await page.getByRole('img', { name: /^From June 2026 to November 2026 revenue was 6,280\.75 EUR/ }).count(),
    ).to.equal(1)
    const fills = await revenue
      .locator('[data-month="2026-10"] rect')
      .evaluateAll((all) => all.map((each) => each.getAttribute('fill')))
    expect(new Set(fills).size).to.equal(3)
  })

  it('shows the same figures as a table', async () => {
    const { page } = await open(loaded)
    await button(page, 'Show as table').click()
    const rows = await shownEach(page.locator('#revenue tr'))
    expect(rows[1]).to.equal('November 2026\t1,270.50\t317.65\t302.25\t1,890.40\t3')
    expect(rows.at(-1)).to.equal('Total\t4,221.90\t1,055.60\t1,003.25\t6,280.75\t16')
    await button(page, 'Show as chart').click()
    expect(await page.locator('#revenue svg[role=img]').count()).to.equal(1)
  })

  it('shows usage by tenant, flags what has no price and marks figures that lag', async () => {
    const { page } = await open(loaded)
    const usage = page.locator('#usage')
    const text = await shown(usage)
    for (const part of ['9,007,199,254,740,993', '1,234,567', '617,283.5', '1,234.56 EUR', 'Unpriced rows: 1.']) {
      expect(text).to.include(part)
    }
    expect(await shown(usage.locator('tr', { hasText: 'compute_seconds' }))).to.include('unpriced')
    expect(await shown(usage.locator('.freshness.late'))).to.equal('! as of 14:03:07, 340 s behind')
    const widths = await usage
      .locator('tr', { hasText: 'workflow_runs' })
      .locator('.bar-fill')
      .evaluateAll((bars) => bars.map((bar) => Math.round(bar.getBoundingClientRect().width)))
    expect(widths[1]).to.be.closeTo((widths[0] ?? 0) / 2, 1)
  })

  it('opens the findings of a package by keyboard and prints them as text', async () => {
    const { page } = await open(loaded)
    const opener = button(page, '2 findings of cluster-maintenance-nightly@2.1.0-rc.1')
    await opener.focus()
    await page.keyboard.press('Enter')
    expect(await opener.getAttribute('aria-expanded')).to.equal('true')
    const findings = await shownEach(page.getByRole('list', { name: /^Findings of cluster/ }).locator('li'))
    expect(findings[0]).to.match(/critical\s+WPK-P3-005\s+at \/spec\/handlers\/0\/config\/command/)
    expect(findings[0]).to.include('<script>alert(1)</script>')
    expect(findings[1]).to.match(/medium\s+WPK-P3-002\s+at the whole document/)
    const row = await shown(page.locator('#packages tr', { hasText: 'restart-workers@1.0.0' }))
    expect(row.replaceAll(/\s+/g, ' ')).to.equal('restart-workers@1.0.0 demo ✓ published 0.299 ✓ pass none')
  })

  it('says why there is nothing and which command changes that', async () => {
    const { page } = await open(empty)
    for (const [id, path] of [
      ['revenue', '/billing/invoice/demo'],
      ['usage', '/usage/report'],
      ['packages', '/wpk/upload'],
    ]) {
      expect(await shown(page.locator(`#${id} .notice-title`))).to.match(/^No /)
      expect(await shown(page.locator(`#${id} pre`)))
        .to.match(/^curl -sS /)
        .and.include(path)
    }
  })

  it('shows title, detail and request id of a problem, and recovers on retry', async () => {
    const { page } = await open(failing)
    const notice = await shown(page.locator('#revenue .notice'))
    for (const part of [
      'The figures are not ready',
      'answers again in about 20 s',
      '0192f6a0-1111-7000-8000-00000000beef',
    ]) {
      expect(notice).to.include(part)
    }
    served.answers = loaded
    await button(page, 'Retry: Revenue').click()
    await page.locator('#revenue svg[role=img]').waitFor()
    expect(await page.locator('#revenue .notice').count()).to.equal(0)
    expect(await page.locator('#usage .notice').count()).to.equal(1)
  })

  it('keeps the last figures on the screen when a refresh fails', async () => {
    const { page } = await open(loaded)
    served.answers = failing
    await button(page, 'Refresh').click()
    await page.locator('#usage .notice.bad').waitFor()
    expect(await shown(page.locator('#usage')))
      .to.include('1,234.56 EUR')
      .and.include('from the last answer that arrived')
  })

  it('asks as the visitor, then with the pasted token, and keeps it for the tab', async () => {
    const { page } = await open(loaded)
    expect(served.asked.map((each) => each.authorization)).to.deep.equal([undefined, undefined, undefined])
    served.asked = []
    served.answers = empty
    await button(page, /^Access token/).click()
    await page.keyboard.type('Bearer eyJhbGciOi.payload.sign')
    await page.keyboard.press('Enter')
    await page.locator('#revenue pre').waitFor()
    await settled(page)
    expect(new Set(served.asked.map((each) => each.authorization))).to.deep.equal(
      new Set(['Bearer eyJhbGciOi.payload.sign']),
    )
    expect(await page.evaluate(() => document.activeElement?.textContent)).to.equal('Access token: ends in sign')
    expect(await page.evaluate(() => [localStorage.length, document.cookie])).to.deep.equal([0, ''])

    served.asked = []
    await page.reload()
    await settled(page)
    expect(new Set(served.asked.map((each) => each.authorization))).to.deep.equal(
      new Set(['Bearer eyJhbGciOi.payload.sign']),
    )

    served.asked = []
    await button(page, /^Access token/).click()
    await button(page, 'Forget token').click()
    await settled(page)
    expect(served.asked.map((each) => each.authorization)).to.deep.equal([undefined, undefined, undefined])
    expect(await page.evaluate(() => sessionStorage.length)).to.equal(0)
  })

  it('shows nothing of the former reader while the new one waits', async () => {
    const { page } = await open(loaded)
    let release: () => void = () => {}
    served.gate = new Promise((opens) => {
      release = opens
    })
    await button(page, /^Access token/).click()
    await page.keyboard.type('other')
    await page.keyboard.press('Enter')
    await page.locator('#usage .outline').waitFor()
    expect(await shown(page.locator('main'))).not.to.include('1,234.56')
    release()
    await settled(page)
  })

  it('refuses a token that no header can carry and says so', async () => {
    const { page } = await open(loaded)
    await button(page, /^Access token/).click()
    await page.keyboard.type('two words')
    await page.keyboard.press('Enter')
    expect(await shown(page.getByRole('alert'))).to.include('A token has no spaces')
    await page.keyboard.press('Escape')
    expect(await page.evaluate(() => document.activeElement?.textContent)).to.equal('Access token: none (demo visitor)')
  })

  it('asks every 5 s, not while hidden or paused, and at once when seen again', async () => {
    const { page } = await open(loaded)
    // Paused before the page loads: on a busy machine real seconds would otherwise count as well.
    await page.clock.install({ time: new Date('2026-11-23T14:00:00Z') })
    await page.clock.pauseAt(new Date('2026-11-23T14:03:07Z'))
    await page.addInitScript(countingFetch)
    await page.reload()
    await settled(page)
    const counts = () =>
      page.evaluate(() => ({ ...(window as unknown as { counts: { begun: number; ended: number } }).counts }))
    const rounds = async (act: () => Promise<unknown>, expected: number) => {
      const before = (await counts()).begun
      await act()
      await page.waitForFunction(() => {
        const { begun, ended } = (window as unknown as { counts: { begun: number; ended: number } }).counts
        return begun === ended
      })
      expect((await counts()).begun - before).to.equal(expected * 3)
    }
    const see = (state: string) =>
      page.evaluate((visibility) => {
        Object.defineProperty(document, 'visibilityState', { configurable: true, value: visibility })
        document.dispatchEvent(new Event('visibilitychange'))
      }, state)
    await rounds(() => page.clock.runFor(4_900), 0)
    await rounds(() => page.clock.runFor(200), 1)
    await rounds(() => page.clock.runFor(5_000), 1)
    await see('hidden')
    await rounds(() => page.clock.runFor(60_000), 0)
    await rounds(() => see('visible'), 1)
    await button(page, 'Pause updates').click()
    await rounds(() => page.clock.runFor(60_000), 0)
    await rounds(() => button(page, 'Refresh').click(), 1)
  })

  it('says how many rows of a long table it left out and shows them on demand', async () => {
    const row = { tenant: 'demo', meter: 'runs', period: '2026-11', quantity: '1', amount: '0.10', currency: 'EUR' }
    const rows = Array.from({ length: 60 }, (_, index) => ({ ...row, package: `package-${index}` }))
    const body = { as_of: '2026-11-23T14:03:07Z', lag_seconds: 0, rows }
    const { page } = await open({ ...loaded, usage: { status: 200, body } })
    expect(await shown(page.locator('#usage .row-limit'))).to.include('50 of 60 rows shown.')
    await button(page, 'Show all 60').click()
    expect(await page.locator('#usage tbody td.month').count()).to.equal(60)
  })

  it('leads the first Tab to a skip link', async () => {
    const { page } = await open(loaded)
    await page.keyboard.press('Tab')
    expect(await page.evaluate(() => document.activeElement?.textContent)).to.equal('Skip to content')
    await page.keyboard.press('Enter')
    expect(await page.evaluate(() => document.activeElement?.id)).to.equal('content')
  })

  it('does not move smoothly for those who asked for less motion', async () => {
    const { page } = await open(loaded, { reducedMotion: 'reduce' })
    expect(await page.evaluate(() => getComputedStyle(document.documentElement).scrollBehavior)).to.equal('auto')
  })

  for (const answers of [
    ['loaded', loaded],
    ['empty', empty],
    ['failing', failing],
  ] as const) {
    for (const colorScheme of ['light', 'dark'] as const) {
      for (const width of [1280, 360]) {
        it(`is accessible, ${answers[0]}, ${colorScheme}, ${width} px wide, and stays on its origin and within its policy`, async () => {
          const { page, trouble } = await open(answers[1], { colorScheme, viewport: { width, height: 800 } })
          expect(await page.evaluate(() => document.documentElement.scrollWidth)).to.equal(width)
          if (answers[0] === 'loaded') {
            await page.locator('.disclose').first().click()
            expect(await axe(page)).to.deep.equal([])
            await button(page, 'Show as table').click()
            await button(page, 'Pause updates').click()
          }
          await button(page, /^Access token/).click()
          expect(await axe(page)).to.deep.equal([])
          expect(await page.evaluate(() => document.documentElement.scrollWidth)).to.equal(width)
          expect(trouble).to.deep.equal(quiet)
        })
      }
    }
  }
})
