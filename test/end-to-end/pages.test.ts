import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { chromium, type Browser, type Page } from 'playwright-core'
import t from 'tap'
import { buildApp } from '../../src/app.ts'
import { openWorldClients, replayConfig } from '../../src/cli/replay-case.ts'
import { buildLog } from '../../src/shared/log.ts'
import { readCaseDirectory } from '../../src/world/case-directory.ts'
import { openWorld } from '../../src/world/world.ts'
import { fingerprint } from '../../src/shared/fingerprint.ts'
import { eventually } from '../support/real-alertmanager.ts'

const executablePath = '/usr/bin/chromium'
const present = existsSync(executablePath)
if (!present && process.env.CI === 'true') t.fail('chromium must be installed in CI (apt-get install chromium)')
const port80 = fileURLToPath(new URL('../cases/http01-port80-blocked/firewall-drops-port-80', import.meta.url))
const hostile = '<img src=x onerror="document.title=1">&"\'<script>document.title=2</script>'

/** As much of the browser as is used inside `evaluate`, which runs there. */
interface Shown { childNodes: Iterable<{ nodeType: number, textContent: string | null }>, textContent: string | null, tagName: string, className: string, parentElement: Shown | null, closest (selector: string): Shown | null }
declare const document: { querySelectorAll (selector: string): Iterable<Shown>, documentElement: { scrollWidth: number, clientWidth: number } }
declare const matchMedia: (query: string) => { matches: boolean }
declare const getComputedStyle: (element: Shown) => { backgroundColor: string, opacity: string, color: string }

/** Least contrast of any text with the ground behind it, as WCAG counts it, and where. */
const leastContrast = (page: Page): Promise<{ ratio: number, where: string }> => page.evaluate(() => {
  const parse = (text: string): number[] => (text.match(/[\d.]+/g) ?? []).map(Number)
  const luminance = ([r = 0, g = 0, b = 0]: number[]): number => [r, g, b].reduce((sum, value, index) => {
    const part = value / 255
    return sum + [0.2126, 0.7152, 0.0722][index]! * (part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4)
  }, 0)
  const over = (top: number[], bottom: number[], alpha: number): number[] => bottom.map((value, index) => top[index]! * alpha + value * (1 - alpha))
  const canvas = matchMedia('(prefers-color-scheme: dark)').matches ? [18, 18, 18] : [255, 255, 255]
  let least = { ratio: 21, where: '' }
  for (const element of document.querySelectorAll('body *')) {
    const words = [...element.childNodes].some(({ nodeType, textContent }) => nodeType === 3 && (textContent ?? '').trim() !== '')
    if (!words || element.closest('svg') !== null) continue
    const line: Shown[] = []
    for (let each: Shown | null = element; each !== null; each = each.parentElement) line.unshift(each)
    let ground = canvas
    let opacity = 1
    for (const each of line) {
      const style = getComputedStyle(each)
      const [r = 0, g = 0, b = 0, alpha = 1] = parse(style.backgroundColor)
      ground = over([r, g, b], ground, alpha)
      opacity *= Number(style.opacity)
    }
    const [r = 0, g = 0, b = 0, alpha = 1] = parse(getComputedStyle(element).color)
    const [bright, dark] = [luminance(over([r, g, b], ground, alpha * opacity)), luminance(ground)].sort((a, b) => b - a) as [number, number]
    const ratio = (bright + 0.05) / (dark + 0.05)
    if (ratio < least.ratio) least = { ratio, where: `${element.tagName} ${element.className}: ${(element.textContent ?? '').trim().slice(0, 60)}` }
  }
  return least
})

t.test('pages in a browser', { skip: present ? false : 'chromium is not installed here (apt-get install chromium)' }, async t => {
  const world = await openWorld(await readCaseDirectory(port80))
  const config = { ...replayConfig(world), dataDir: t.testdir({}), listen: { host: '127.0.0.1', port: 0 } }
  const clients = openWorldClients(world, config)
  const app = await buildApp(config, { clients, clock: world.clock, log: buildLog({ level: 'silent' }) })
  let browser: Browser | undefined
  t.teardown(async () => {
    await browser?.close()
    await app.close()
    await clients.close()
    await world.close()
  })
  const base = await app.listen()
  const post = async (alerts: object[]): Promise<void> => {
    const body = { version: '4', receiver: 'r', status: 'firing', groupLabels: {}, commonLabels: {}, commonAnnotations: {}, externalURL: '', groupKey: '{}', truncatedAlerts: 0, alerts }
    t.equal((await app.server.inject({ method: 'POST', url: '/webhook', payload: body })).statusCode, 200)
  }
  const whole = (alert: { labels: Record<string, string> }): object => ({ status: 'firing', annotations: {}, generatorURL: '', startsAt: new Date(world.clock.now() - 60_000).toISOString(), endsAt: '0001-01-01T00:00:00Z', fingerprint: fingerprint(alert.labels), ...alert })
  await post((world.directory.alerts[0] as { alerts: { labels: Record<string, string> }[] }).alerts.map(whole))
  await post([whole({ labels: { alertname: 'CertManagerACMEOrderFailed', namespace: hostile, certificate: `${hostile}${'x'.repeat(120)}`, severity: 'warning' } })])
  const rows = await eventually(async () => {
    const { rows: list } = await app.store.incidents.page({ limit: 5 })
    return list.length === 2 && list.every(({ looks }) => looks > 0) ? list : undefined
  }, 'both incidents looked at', 60_000)
  const known = rows!.find(({ cause }) => cause === 'http01-port80-blocked')!.id
  const strange = rows!.find(({ namespace }) => namespace.startsWith('<img'))!.id
  const paths = ['/', `/incidents/${known}`, `/incidents/${strange}`, '/causes', '/causes/http01-port80-blocked']

  browser = await chromium.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'] })
  for (const [colorScheme, width] of [['light', 390], ['light', 1200], ['dark', 390], ['dark', 1200]] as const) {
    const context = await browser.newContext({ viewport: { width, height: 800 }, colorScheme })
    const page = await context.newPage()
    const asked: string[] = []
    const complaints: string[] = []
    page.on('request', request => { asked.push(request.url()) })
    page.on('console', message => { if (message.type() === 'error' && !message.location().url.endsWith('/favicon.ico')) complaints.push(message.text()) })
    for (const path of paths) {
      const answer = await page.goto(base + path)
      const where = `${path.replace(/[0-9A-Za-z]{20,}/, 'ID')} at ${width} px, ${colorScheme}`
      t.equal(answer?.status(), 200, where)
      const [content, view] = await page.evaluate(() => [document.documentElement.scrollWidth, document.documentElement.clientWidth])
      t.ok(content! <= view!, `${where}: ${content} px wide in ${view}`)
      const { ratio, where: spot } = await leastContrast(page)
      t.ok(ratio >= 4.5, `${where}: contrast ${ratio.toFixed(1)} at ${spot}`)
      t.notMatch(await page.title(), /^[12]$/, `${where}: no name became a program`)
      t.equal(await page.locator('body script, body img[src="x"]').count(), 0, `${where}: no name became an element`)
    }
    t.ok(asked.every(url => url.startsWith(base)), 'nothing is loaded from elsewhere')
    t.same(complaints, [], 'the browser has nothing to complain of')
    await context.close()
  }

  const context = await browser.newContext({ javaScriptEnabled: false, viewport: { width: 390, height: 800 } })
  const page = await context.newPage()
  await page.goto(base)
  await page.locator(`a[href="/incidents/${known}"]`).first().click()
  t.match(await page.locator('h1').innerText(), /port 80|203\.0\.113/i, 'without script the list leads to the incident')
  t.match(await page.locator('body').innerText(), /Do this|Next step/i)
  await page.goto(`${base}/incidents/${strange}`)
  t.match(await page.locator('body').innerText(), '<img src=x onerror=', 'a hostile name is shown as it is written')
  await page.goto(`${base}/incidents/${known}`)
  await page.emulateMedia({ media: 'print' })
  t.equal(await page.locator('nav').first().isVisible(), false, 'no navigation on paper')
  t.ok((await page.pdf({ format: 'A4' })).subarray(0, 5).toString() === '%PDF-', 'it prints')
  await context.close()
})
