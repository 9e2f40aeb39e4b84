import t from 'tap'
import { runFaults } from '../faults/faults.ts'

// Forty starts of the service on a busy machine.
t.setTimeout(400_000)
t.test('twenty kills at random points lose nothing that was acknowledged and say nothing twice', { timeout: 390_000 }, async t => {
  const rows = await runFaults({ kills: 20, down: 0, scenes: false })
  t.equal(rows.length, 2)
  for (const { fault, kills, acked, lost, twice, messages } of rows) {
    t.comment(`${fault}: ${kills} kills, ${acked} acknowledged, ${lost} lost, ${twice} said twice, ${messages} messages`)
    t.ok(acked > 0)
    t.equal(lost, 0, fault)
    t.equal(twice, 0, fault)
  }
})
