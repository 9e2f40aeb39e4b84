import ipaddr from 'ipaddr.js'

/** Address ranges that content networks publish as their own: https://www.cloudflare.com/ips, https://api.fastly.com/public-ip-list. */
const published: Record<string, readonly string[]> = {
  cloudflare: [
    '173.245.48.0/20', '103.21.244.0/22', '103.22.200.0/22', '103.31.4.0/22', '141.101.64.0/18', '108.162.192.0/18', '190.93.240.0/20', '188.114.96.0/20', '197.234.240.0/22',
    '198.41.128.0/17', '162.158.0.0/15', '104.16.0.0/13', '104.24.0.0/14', '172.64.0.0/13', '131.0.72.0/22',
    '2400:cb00::/32', '2606:4700::/32', '2803:f800::/32', '2405:b500::/32', '2405:8100::/32', '2a06:98c0::/29', '2c0f:f248::/32'
  ],
  fastly: ['151.101.0.0/16', '199.232.0.0/16', '146.75.0.0/17', '2a04:4e40::/32', '2a04:4e42::/32']
}
const ranges = Object.entries(published).flatMap(([name, list]) => list.map(range => ({ name, range: ipaddr.parseCIDR(range) })))

/** The content network that an address belongs to, when it is one of those whose ranges are known. */
export function cdnOfAddress (address: string | undefined): string | undefined {
  if (address === undefined || !ipaddr.isValid(address)) return undefined
  const parsed = ipaddr.parse(address)
  return ranges.find(({ range: [base, bits] }) => base.kind() === parsed.kind() && parsed.match(base, bits))?.name
}
