// The interfaces of wit/ in a component that hears of call backs: there is no call, and no place in a queue.

import clock from "strowger:script/clock";
import crm from "strowger:script/crm";
import directory from "strowger:script/directory";
import http from "strowger:script/http";
import kv from "strowger:script/kv";
import mailbox from "strowger:script/mailbox";
import notify from "strowger:script/notify";
import settings from "strowger:script/settings";

export const call = undefined;
export const queue = undefined;
export { clock, crm, directory, http, kv, mailbox, notify, settings };
