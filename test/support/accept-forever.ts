import { openStore } from '../../src/shared/store/store.ts'

/** Accepts one alert after the other and prints each that was acknowledged, until somebody kills it. */
const [, , dataDir = '', round = ''] = process.argv
const store = await openStore({ dataDir, clock: { now: () => Date.now() }, flapWindow: 0 })
for (let index = 0; index < 100_000; index += 8) {
  await Promise.all(Array.from({ length: 8 }, async (_, offset) => {
    const certificate = `c-${round}-${index + offset}`
    await store.intake.accept({
      source: '', receiver: '', groupKey: '', externalUrl: '', reason: '', truncated: 0, raw: '{}',
      alerts: [{
        alert: { status: 'firing', labels: { certificate }, annotations: {}, startsAt: 1, generatorURL: '', fingerprint: certificate },
        place: { key: `|shop|${certificate}`, cluster: '', namespace: 'shop', certificate, order: '' },
        notes: []
      }]
    })
    process.stdout.write(`${certificate}\n`)
  }))
  await store.jobs.claim(1, 60_000)
}
