// The account of this browser: its session, and the requests of the HTTP API.

import { persistent } from './storage.js';

const API = '/api/v1/';

/**
 * Why a request was refused. `code` is for programs. `fields` has a reason for each wrong field.
 */
export class RequestError extends Error {
  constructor({ code, message, fields = {} }, retryAfterS) {
    super(message);
    this.name = 'RequestError';
    this.code = code;
    this.fields = fields;
    this.retryAfterS = retryAfterS;
  }
}

/** The session of this page, if the browser stores nothing. */
let inMemory = null;

/** `{token, username}`, or `null` if nobody is signed in. */
export function session() {
  const stored = persistent.get('session');
  return typeof stored?.token === 'string' && typeof stored.username === 'string' ? stored : inMemory;
}

/** All tabs of this browser use this session from now on. `null`: nobody is signed in. */
export function keepSession(kept) {
  inMemory = kept;
  persistent.set('session', kept);
}

/** What the page takes for true until the server has answered. */
let known = { name: 'chatd', default_room: 'lobby', guests: true, accounts: false, registration: 'closed' };

/**
 * `{name, logo, welcome: {html}, default_room, guests, accounts, registration}`: what the site says
 * about itself, and how users get in.
 */
export async function site() {
  known = { ...known, ...await request('GET', 'site').catch(() => ({})) };
  return known;
}

/** The name of the site, as far as it is known. */
export const siteName = () => known.name;

/** Registers a user and signs it in. With its guest token it stays the author of what it wrote. */
export async function register({ username, password, invite, guestToken }) {
  keep(await request('POST', 'accounts', { username, password, invite, guest_token: guestToken, device: device() }));
}

export async function signIn({ username, password }) {
  keep(await request('POST', 'login', { username, password, device: device() }));
}

/** Ends the session on the server, too, if it can be reached. */
export async function signOut() {
  await request('POST', 'logout').catch(() => {});
  keepSession(null);
}

export function changePassword(old, fresh) {
  return request('POST', 'me/password', { old, new: fresh });
}

/** Where the user has signed in, most recently used first. */
export async function devices() {
  return (await request('GET', 'me/sessions')).sessions;
}

export function signOutDevice(id) {
  return request('DELETE', `me/sessions/${encodeURIComponent(id)}`);
}

/** The account of the user: name, display name, about. */
export function me() {
  return request('GET', 'me');
}

export function changeProfile(change) {
  return request('PATCH', 'me', change);
}

/** What everyone may know about a user. */
export function profileOf(username) {
  return request('GET', `users/${encodeURIComponent(username)}`);
}

function keep({ token, user }) {
  keepSession({ token, username: user.username });
}

async function request(method, path, body) {
  const headers = { accept: 'application/json' };
  if (body) headers['content-type'] = 'application/json';
  const token = session()?.token;
  if (token) headers.authorization = `Bearer ${token}`;
  let response;
  try {
    response = await fetch(API + path, { method, headers, body: body && JSON.stringify(body), credentials: 'omit', cache: 'no-store' });
  } catch {
    throw new RequestError({ code: 'unreachable', message: 'the server cannot be reached' });
  }
  const answer = response.status === 204 ? null : await response.json().catch(() => ({}));
  if (response.ok) return answer;
  const problem = typeof answer.code === 'string' ? answer : { code: 'internal', message: `status ${response.status}` };
  throw new RequestError(problem, Number(response.headers.get('retry-after')) || undefined);
}

/** What the list of devices calls this one: the browser and the system, as far as known. */
function device() {
  const { userAgent } = navigator;
  const browser = /Firefox|Edg|OPR|Chrome|Safari/.exec(userAgent)?.[0] ?? 'Browser';
  const system = /Android|iPhone|iPad|Windows|Mac OS X|CrOS|Linux/.exec(userAgent)?.[0] ?? '';
  const names = { Edg: 'Edge', OPR: 'Opera', 'Mac OS X': 'macOS', CrOS: 'ChromeOS' };
  const called = (name) => names[name] ?? name;
  return system ? `${called(browser)} on ${called(system)}` : called(browser);
}
