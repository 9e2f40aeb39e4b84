import t from 'tap'
import { alertmanagerScenes, isRight, lineOf, playAlertmanagers } from '../faults/alertmanagers.ts'
import { missing } from '../support/real-alertmanager.ts'

const skip = missing('prometheus-alertmanager', 'prometheus')

t.setTimeout(280_000)
t.jobs = 4
for (const scene of alertmanagerScenes) {
  for (const mode of scene.modes) {
    t.test(`${mode}: ${scene.title}: ours come back, nothing else is lost, and it ends when Prometheus says so`, { skip, buffered: true }, async t => {
      const row = await playAlertmanagers(scene, mode)
      t.ok(isRight(row), lineOf(row))
      // The copy that was sent last would keep it for twelve seconds.
      t.ok(row.end < 10_000, `ended after ${row.end} ms`)
      if (mode === 'relay') t.equal(row.bare, 0, 'what passes through us is never bare')
    })
  }
}
