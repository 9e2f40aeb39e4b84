import t from 'tap'
import { runFaults } from '../faults/faults.ts'

// Forty starts of the service on a busy machine.
t.setTimeout(400_000)
t.test('twenty kills at random points: nothing acknowledged is lost, said twice, or left unfinished', { timeout: 390_000 }, async t => {
  const rows = await runFaults({ kills: 20, down: 0, scenes: false })
  t.equal(rows.length, 2)
  for (const { fault, kills = 1, acked, lost, twice, stale, bare, messages, failed, seconds } of rows) {
    t.comment(`${fault}: ${kills} kills, ${acked} acknowledged, ${lost} lost, ${twice} said twice, ${stale} not as it stands, ${bare} without annotations, ${messages} messages, ${seconds} s`)
    t.ok(acked > 0)
    t.match({ lost, twice, stale, bare, failed }, { lost: 0, twice: 0, stale: 0, bare: 0, failed: undefined }, fault)
  }
})
