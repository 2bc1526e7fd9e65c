// The interfaces of wit/ in a component: the only file that imports them. In Node the simulated exchange of sim/ stands
// in its place ("imports" of package.json).

import call from "strowger:script/call";
import clock from "strowger:script/clock";
import crm from "strowger:script/crm";
import directory from "strowger:script/directory";
import http from "strowger:script/http";
import kv from "strowger:script/kv";
import mailbox from "strowger:script/mailbox";
import notify from "strowger:script/notify";
import queue from "strowger:script/queue";
import settings from "strowger:script/settings";

export { call, clock, crm, directory, http, kv, mailbox, notify, queue, settings };
