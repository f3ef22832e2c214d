// One end of a data channel inside headless Chromium; ../interop/README.md has the protocol.
import readline from 'node:readline';
import { openPage, say } from './chromium.mjs';

const [role, count, size] = [process.argv[2], Number(process.argv[3]), Number(process.argv[4])];
const ordered = process.argv[5] === 'ordered';

/** Runs inside the page: a peer connection that talks through the functions `say` (out) and `handle` (in). */
function pagePeer({ role, count, size, ordered }) {
  const bufferLimit = 1 << 20;
  const table = Uint32Array.from({ length: 256 }, (_, n) => {
    let value = n;
    for (let bit = 0; bit < 8; ++bit) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
    return value;
  });
  const crc32 = (bytes) => {
    let crc = 0xffffffff;
    for (const byte of bytes) crc = table[(crc ^ byte) & 0xff] ^ (crc >>> 8);
    return (crc ^ 0xffffffff) >>> 0;
  };
  const message = (index) => {
    const bytes = new Uint8Array(size);
    new DataView(bytes.buffer).setUint32(0, index);
    for (let position = 0; position < size - 4; ++position) bytes[4 + position] = (index * 31 + position) % 251;
    return bytes;
  };

  const connection = new RTCPeerConnection();
  let channel;
  let received = 0;
  let receivedSum = 0;
  let allReceived;
  const everythingCame = new Promise((resolve) => (allReceived = resolve));

  const run = async () => {
    window.say({ type: 'open' });
    let sentSum = 0;
    for (let index = 0; index < count; ++index) {
      if (channel.bufferedAmount > bufferLimit) {
        await new Promise((resolve) => channel.addEventListener('bufferedamountlow', resolve, { once: true }));
      }
      const bytes = message(index);
      sentSum += crc32(bytes);
      channel.send(bytes);
    }
    await everythingCame;
    window.say({ type: 'result', sent: count, sent_sum: sentSum, received, received_sum: receivedSum,
      ordered: channel.ordered });
  };
  const attach = (opened) => {
    channel = opened;
    channel.binaryType = 'arraybuffer';
    channel.bufferedAmountLowThreshold = bufferLimit / 4;
    channel.onmessage = (event) => {
      receivedSum += crc32(new Uint8Array(event.data));
      if (++received === count) allReceived();
    };
    channel.onclose = () => window.say({ type: 'closed' });
    // Who answers sends after it has heard something: what Chromium sends from within `datachannel`, or at an `open`
    // right behind it, it may count as buffered for ever. And `open` may come twice.
    channel.addEventListener(role === 'offer' ? 'open' : 'message', run, { once: true });
    if (role === 'answer') channel.addEventListener('open', () => window.say({ type: 'open' }), { once: true });
  };
  connection.onicecandidate = ({ candidate }) => {
    if (candidate && candidate.candidate) window.say({ type: 'candidate', candidate: candidate.candidate });
    else if (!candidate) window.say({ type: 'candidates_done' });
  };
  connection.ondatachannel = (event) => attach(event.channel);

  window.handle = async (line) => {
    if (line.type === 'offer') {
      await connection.setRemoteDescription({ type: 'offer', sdp: line.sdp });
      const answer = await connection.createAnswer();
      window.say({ type: 'answer', sdp: answer.sdp });
      await connection.setLocalDescription(answer);
    } else if (line.type === 'answer') {
      await connection.setRemoteDescription({ type: 'answer', sdp: line.sdp });
    } else if (line.type === 'candidate') {
      await connection.addIceCandidate({ candidate: line.candidate, sdpMid: '0', sdpMLineIndex: 0 });
    } else if (line.type === 'close') {
      channel.close();
    }
  };
  if (role === 'offer') {
    attach(connection.createDataChannel('sluice/1', { ordered }));
    connection.createOffer().then(async (offer) => {
      window.say({ type: 'offer', sdp: offer.sdp });
      await connection.setLocalDescription(offer);
    });
  }
}

const { page, end } = await openPage();
await page.exposeFunction('say', async (line) => {
  say(line);
  if (line.type === 'closed') setTimeout(() => end(0), 100);
});
await page.evaluate(pagePeer, { role, count, size, ordered });
const lines = readline.createInterface({ input: process.stdin });
lines.on('line', (text) => page.evaluate((line) => window.handle(line), JSON.parse(text)));
lines.on('close', () => end(0));
