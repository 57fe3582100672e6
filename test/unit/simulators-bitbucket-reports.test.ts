import { request as httpRequest } from 'node:http';
import { connect } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type BitbucketReports, bitbucketReports } from '../simulators/bitbucket-reports.ts';
import { serve } from '../simulators/serve.ts';

const NOW = Date.parse('2026-11-21T10:00:00Z');
const COMMIT = '0123456789abcdef0123456789abcdef01234567';

interface Proxy extends BitbucketReports {
  readonly port: number;
  readonly send: (method: string, target: string, body?: unknown) => Promise<{ status: number; body: unknown }>;
}

async function reportsProxy(): Promise<Proxy> {
  const simulator = bitbucketReports({ repository: 'acme/ml', commit: COMMIT, now: () => NOW });
  const server = await serve(simulator.handle);
  onTestFinished(() => server.close());
  const port = Number(new URL(server.url).port);
  return { ...simulator, port, send: (method, target, body) => throughProxy(port, method, target, body) };
}

/** Sends the target as it stands in the request line, which is how a forward proxy is asked. */
function throughProxy(port: number, method: string, target: string, body?: unknown) {
  return new Promise<{ status: number; body: unknown }>((resolve, reject) => {
    const sent = httpRequest({ host: '127.0.0.1', port, method, path: target }, async (response) => {
      let text = '';
      for await (const chunk of response) text += chunk;
      resolve({ status: response.statusCode ?? 0, body: text === '' ? undefined : JSON.parse(text) });
    });
    sent.on('error', reject);
    sent.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

describe('Code Insights through the step proxy', () => {
  const target = `http://api.bitbucket.org/2.0/repositories/acme/ml/commit/${COMMIT}/reports/keyless-submit-1`;
  const report = { title: 'Training', details: 'It runs.', report_type: 'TEST', result: 'PENDING' };

  it('stores, replaces, shows and deletes a report', async () => {
    const proxy = await reportsProxy();
    expect((await proxy.send('PUT', target, report)).status).toBe(200);
    const done = {
      ...report,
      result: 'PASSED',
      link: 'https://console.example.com/runs/1',
      data: [
        { title: 'Console', type: 'LINK', value: { text: 'Open', href: 'https://console.example.com/runs/1' } },
        { title: 'Took', type: 'DURATION', value: 61_000 },
        { title: 'State', value: 'SUCCEEDED' },
      ],
    };
    expect(await proxy.send('PUT', target, done)).toMatchObject({
      status: 200,
      body: { ...done, type: 'report', external_id: 'keyless-submit-1', created_on: '2026-11-21T10:00:00.000Z' },
    });
    expect((await proxy.send('GET', target)).body).toMatchObject(done);
    expect(proxy.reports()).toMatchObject([{ id: 'keyless-submit-1', current: done, puts: [report, done] }]);
    expect((await proxy.send('DELETE', target)).status).toBe(204);
    expect(await proxy.send('GET', target)).toMatchObject({
      status: 404,
      body: { key: 'report-service.report.not-found' },
    });
    expect(proxy.reports()).toMatchObject([{ current: undefined, puts: [report, done] }]);
  });

  it.each([
    [{ details: undefined }, 'Cannot build Report, some of required attributes are not set [details]'],
    [
      { title: '', report_type: undefined },
      'Cannot build Report, some of required attributes are not set [title, report_type]',
    ],
    [{ title: 'x'.repeat(451) }, 'The title field cannot contain more than 450 characters.'],
    [{ details: 'x'.repeat(2001) }, 'The details field cannot contain more than 2000 characters.'],
    [{ report_type: 'ML' }, 'The report_type field must be one of SECURITY, COVERAGE, TEST, BUG.'],
    [{ result: 'RUNNING' }, 'The result field must be one of PASSED, FAILED, PENDING.'],
    [{ link: 'http://localhost:8080/' }, 'The link field is not a valid URL.'],
    [{ link: 'ftp://example.com/' }, 'The link field is not a valid URL.'],
    [{ data: Array(11).fill({ title: 'a', value: 1 }) }, 'The data field cannot contain more than 10 elements.'],
    [{ data: [{ title: 'a', type: 'DATE', value: '2026' }] }, 'The value of data "a" does not fit its type DATE.'],
    [
      { data: [{ title: 'a', type: 'PERCENTAGE', value: 101 }] },
      'The value of data "a" does not fit its type PERCENTAGE.',
    ],
    [
      { data: [{ title: 'a', type: 'LINK', value: 'https://a.example' }] },
      'The value of data "a" does not fit its type LINK.',
    ],
    [{ verdict: 'good' }, 'Unrecognized field "verdict".'],
  ])('refuses %j', async (change, message) => {
    const proxy = await reportsProxy();
    expect(await proxy.send('PUT', target, { ...report, ...change })).toEqual({
      status: 400,
      body: { key: 'report-service.general.bad-request', message, arguments: {} },
    });
    expect(proxy.reports()).toEqual([]);
    expect(proxy.refusals()).toEqual([`PUT ${target} -> 400 ${message}`]);
  });

  it.each([
    ['another host', 'http://bitbucket.org/2.0/repositories/acme/ml', 403],
    ['the proxy itself', `/2.0/repositories/acme/ml/commit/${COMMIT}/reports/keyless-submit-1`, 403],
    ['another resource', `http://api.bitbucket.org/2.0/repositories/acme/ml/commit/${COMMIT}/statuses/build`, 403],
    ['another repository', target.replace('acme/ml', 'acme/other'), 404],
    ['another commit', target.replace(COMMIT, 'f'.repeat(40)), 404],
    ['a commit shorter than any that a step is given', target.replace(COMMIT, COMMIT.slice(0, 7)), 404],
  ])('refuses %s', async (_what, url, status) => {
    const proxy = await reportsProxy();
    expect((await proxy.send('PUT', url, report)).status).toBe(status);
    expect(proxy.reports()).toEqual([]);
  });

  it('opens no tunnel', async () => {
    const proxy = await reportsProxy();
    const answer = await new Promise<string>((resolve) => {
      const socket = connect(proxy.port, '127.0.0.1', () => {
        socket.write('CONNECT api.bitbucket.org:443 HTTP/1.1\r\nhost: api.bitbucket.org:443\r\n\r\n');
      });
      let text = '';
      socket.on('data', (chunk) => {
        text += chunk;
      });
      socket.on('close', () => resolve(text));
    });
    expect(answer).toBe('');
  });
});
