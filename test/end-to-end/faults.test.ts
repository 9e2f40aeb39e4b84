import t from 'tap'
import { runFaults } from '../faults/faults.ts'

// Forty starts of the service on a busy machine.
t.setTimeout(400_000)
t.test('twenty kills, a full disk, a wrong clock, a week: nothing acknowledged is lost, said twice, or left unfinished', { timeout: 390_000 }, async t => {
  // What needs a process of its own; the faults of Slack alone stand in deliveries.test.ts. They wait for Slack's pace most of the time: side by side.
  const rows = (await Promise.all([
    runFaults({ kills: 20, down: 0, scenes: () => false }),
    runFaults({ kills: 0, down: 0, scenes: title => /disk full|clock set back/.test(title) }),
    runFaults({ kills: 0, down: 0, scenes: title => title.includes('after a week') })
  ])).flat()
  t.equal(rows.length, 5)
  for (const { fault, kills = 0, acked, lost, twice, stale, bare, messages, failed, seconds } of rows) {
    t.comment(`${fault}${failed === undefined ? '' : ` (${failed})`}: ${kills} kills, ${acked} acknowledged, ${lost} lost, ${twice} said twice, ${stale} not as it stands, ${bare} without annotations, ${messages} messages, ${seconds} s`)
    t.ok(acked > 0)
    t.match({ lost, twice, stale, bare, failed }, { lost: 0, twice: 0, stale: 0, bare: 0, failed: undefined }, fault)
  }
})
