import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'

const src = fileURLToPath(new URL('../src/', import.meta.url))
const rooms = ['accept', 'collect', 'correlate', 'diagnose', 'publish', 'shared', 'world']
const sockets = /^(?:node:)?(?:net|tls|http|https|http2|dgram|dns|dns\/promises)$|^undici$/

/** Judging an address, or reading /etc/resolv.conf, opens nothing. */
const harmless = /^\{\s*(?:(?:isIP|isIPv4|isIPv6|BlockList|getServers)\s*,?\s*)+\}$/

interface Import { file: string, target: string, room: string, typeOnly: boolean, names: string }

const files = (readdirSync(src, { recursive: true }) as string[]).filter(file => file.endsWith('.ts')).sort()
const imports = files.flatMap(file => {
  const text = readFileSync(join(src, file), 'utf8')
  const found = [...text.matchAll(/^\s*(?:import|export)\s+(type\s+)?(?:([^'"]*?)\sfrom\s+)?['"]([^'"]+)['"]/gm), ...text.matchAll(/\bimport\(\s*()()['"]([^'"]+)['"]/g)]
  return found.map(([, type, names = '', target = '']): Import => ({ file, target, room: roomOf(file), typeOnly: type !== undefined && type !== '', names }))
})

function roomOf (file: string): string {
  const [first = ''] = file.split('/')
  return rooms.includes(first) ? first : 'join'
}

t.test('a room imports shared, itself, and nothing else of ours', async t => {
  const broken = imports.filter(({ file, target, room }) => {
    if (!target.startsWith('.')) return false
    const path = relative(src, join(src, dirname(file), target))
    // Schemas are the words that everybody shares.
    const to = path.startsWith('../schemas/') ? 'shared' : roomOf(path)
    return room !== 'join' && to !== room && to !== 'shared'
  })
  t.same(broken.map(({ file, target }) => `${file} imports ${target}`), [], 'join rooms in src/*.ts or src/cli instead')
})

t.test('only src/shared/clients opens sockets', async t => {
  // The demo asks the system for a free port on loopback, and nothing else.
  const broken = imports.filter(({ file, target, room, typeOnly, names }) => sockets.test(target) && !typeOnly && room !== 'world' && !file.startsWith('shared/clients/') && !harmless.test(names) && file !== 'cli/demo.ts')
  t.same(broken.map(({ file, target }) => `${file} imports ${target}`), [], 'put the client into src/shared/clients and call the injected route')
})

/** Read the folder of modules, for `npm run generate` and for a site's own causes; neither judges. */
const loaders = /^diagnose\/(?:catalogue|local-causes)\.ts$/

t.test('judging does no I/O', async t => {
  const broken = imports.filter(({ file, target, room, typeOnly }) => ['diagnose', 'correlate'].includes(room) && !typeOnly && (/^node:(?!crypto|util|url|assert)/.test(target) || ['pino', 'kysely', 'pg'].includes(target)) && !loaders.test(file))
  t.same(broken.map(({ file, target }) => `${file} imports ${target}`), [])
})

t.test('no SQL outside the store', async t => {
  const broken = imports.filter(({ file, target, typeOnly }) => ['kysely', 'pg', 'node:sqlite'].includes(target) && !typeOnly && !file.startsWith('shared/store/'))
  t.same(broken.map(({ file, target }) => `${file} imports ${target}`), [])
})

t.test('every import of ours carries .ts', async t => {
  t.same(imports.filter(({ target }) => target.startsWith('.') && !/\.(?:ts|json)$/.test(target)).map(({ file, target }) => `${file} imports ${target}`), [])
  t.ok(files.length > 40 && imports.length > 100, 'the test sees the tree')
})
