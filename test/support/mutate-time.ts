import { mapMaterial, mapObjects, mapStrings, type Material } from './material.ts'

const pad = (value: number, length = 2): string => String(value).padStart(length, '0')
const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']
const days = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat']

/** All times of a text moved: RFC 3339, Go's and CAs' forms, HTTP dates, klog's headers, and `ts` of JSON logs. */
function shiftText (text: string, by: number): string {
  return text
    .replaceAll(/\b(\d{4}-\d\d-\d\d)([T ])(\d\d:\d\d:\d\d)(\.\d+)?/g, (whole, date: string, between: string, time: string, fraction = '') => {
      const at = Date.parse(`${date}T${time}Z`)
      // Go's zero time means nothing.
      return Number.isNaN(at) || date.startsWith('0001') ? whole : new Date(at + by).toISOString().slice(0, 19).replace('T', between) + fraction
    })
    .replaceAll(/\b(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d (?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) \d{4} \d\d:\d\d:\d\d GMT/g, (whole) => {
      const at = new Date(Date.parse(whole) + by)
      return `${days[at.getUTCDay()]}, ${pad(at.getUTCDate())} ${months[at.getUTCMonth()]} ${at.getUTCFullYear()} ${at.toISOString().slice(11, 19)} GMT`
    })
}

/** A log's times moved; klog's header takes its year from the line's time stamp. */
function shiftLog (log: string, by: number): string {
  return log.split('\n').map((line) => {
    const stamp = /^(\d{4})-(\d\d)/.exec(line)
    return shiftText(line, by)
      .replace(/(?<=^|Z )([IWEF])(\d\d)(\d\d) (\d\d:\d\d:\d\d)/, (whole, level: string, month: string, day: string, time: string) => {
        const at = Date.parse(`${stamp?.[1] ?? '2026'}-${month}-${day}T${time}Z`)
        if (Number.isNaN(at)) return whole
        const moved = new Date(at + by).toISOString()
        return `${level}${moved.slice(5, 7)}${moved.slice(8, 10)} ${moved.slice(11, 19)}`
      })
      .replace(/(?<=\{"ts":)\d{13}(?=[.,])/, (ts) => String(Number(ts) + by))
  }).join('\n')
}

/** The whole case at another time. */
export function shiftTime (material: Material, by: number): Material {
  const { logs, ...rest } = material
  const { directory } = mapMaterial({ ...rest, logs: new Map() }, (text) => shiftText(text, by))
  return {
    directory: {
      ...directory,
      now: directory.now + by,
      ...directory.http && {
        http: directory.http.map((row) => row.tls === undefined ? row : {
          ...row, tls: { ...row.tls, ...row.tls.notBefore !== undefined && { notBefore: row.tls.notBefore + by }, ...row.tls.notAfter !== undefined && { notAfter: row.tls.notAfter + by } }
        })
      }
    },
    logs: new Map([...logs].map(([key, text]) => [key, shiftLog(text, by)]))
  }
}

/** The same moments, written with another offset from UTC. */
export function otherOffset (material: Material, hours: number): Material {
  const offset = `${hours < 0 ? '-' : '+'}${pad(Math.abs(hours))}:00`
  const write = (text: string): string => /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z$/.test(text) && !text.startsWith('0001')
    ? `${new Date(Date.parse(text.replace(/\.\d+/, '')) + hours * 3_600_000).toISOString().slice(0, 19)}${/\.\d+/.exec(text)?.[0] ?? ''}${offset}`
    : text
  const stamped = (log: string): string => log.replaceAll(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z(?= )/gm, write)
  const changed = mapObjects(material, (object) => mapStrings(object, write))
  return { directory: { ...changed.directory, alerts: mapStrings(material.directory.alerts, write) }, logs: new Map([...material.logs].map(([key, text]) => [key, stamped(text)])) }
}
