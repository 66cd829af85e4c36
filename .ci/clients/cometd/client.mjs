// An unmodified client of CometD. It prints a JSON line for each push and each change of its connection, and
// disconnects when its standard input ends.
//
//     client.mjs URL USER TRANSPORT [ack]

import {adapt} from "cometd-nodejs-client";
import {AckExtension, CometD} from "cometd";

const [url, user, transport, ack] = process.argv.slice(2);
const print = (line) => process.stdout.write(JSON.stringify(line) + "\n");

adapt();
// Browsers cannot add headers to a WebSocket; in production a gateway adds this one.
const WebSocket = window.WebSocket;
window.WebSocket = class extends WebSocket {
    constructor(url, protocols) {
        super(url, protocols, {headers: {gms_user: user}});
    }
};

const cometd = new CometD();
for (const other of ["websocket", "long-polling", "callback-polling"]) {
    if (other !== transport) {
        cometd.unregisterTransport(other);
    }
}
if (ack) {
    cometd.registerExtension("ack", new AckExtension());
}
cometd.configure({url, requestHeaders: {gms_user: user}, backoffIncrement: 50, maxBackoff: 200, maxNetworkDelay: 5000});
cometd.addListener("/meta/handshake", (reply) => {
    print({handshake: reply.successful});
    if (reply.successful) {
        cometd.batch(() => cometd.subscribe("/_genesys", (push) => print({push: push.data}), (reply) => print({subscribed: reply.successful})));
    }
});
cometd.addListener("/meta/connect", (reply) => print({connect: reply.successful, advice: reply.advice}));
cometd.handshake();

process.stdin.resume();
process.stdin.on("end", () => cometd.disconnect((reply) => {
    print({disconnected: reply.successful});
    setTimeout(() => process.exit(0), 100);
}));
