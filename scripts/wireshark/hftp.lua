-- Wireshark's dissector of HFTP (libs/wire/README.md): every field of every message.
--   wireshark -X lua_script:scripts/wireshark/hftp.lua capture.pcap
--   tshark -X lua_script:scripts/wireshark/hftp.lua -r capture.pcap -V
-- Other ports: -d udp.port==9100,hftp. Symbols are filters: hftp.symbol == "BTC-USDT" && hftp.type == 1

local hftp = Proto("hftp", "HFTP market data")

local MAGIC = 0x48465450
local HEADER = 24
local EXCHANGES = { [0] = "binance", "bybit", "coinbase", "okx", "deribit" }
local TYPES = { [0] = "OrderBook", "Trade", "Heartbeat", "Status", "Instrument" }
local CODES = {
    [0] = "venue connected", "venue disconnected", "symbol invalid", "halted", "resumed", "session end", "mute",
    "heard again", "trades missed",
}

local f = {
    message = ProtoField.none("hftp.message", "Message"),
    magic = ProtoField.uint32("hftp.magic", "Magic", base.HEX),
    sequence = ProtoField.uint64("hftp.sequence", "Sequence"),
    timestamp = ProtoField.int64("hftp.timestamp", "Scheduled send (us since the epoch)"),
    exchange = ProtoField.uint8("hftp.exchange", "Exchange", base.DEC, EXCHANGES),
    type = ProtoField.uint8("hftp.type", "Type", base.DEC, TYPES),
    symbol_len = ProtoField.uint16("hftp.symbol_len", "Bytes of the symbol"),
    symbol = ProtoField.string("hftp.symbol", "Symbol", base.UNICODE),
    flags = ProtoField.uint8("hftp.flags", "Flags", base.HEX),
    snapshot = ProtoField.bool("hftp.flags.snapshot", "SNAPSHOT", 8, nil, 0x01),
    last = ProtoField.bool("hftp.flags.last", "LAST", 8, nil, 0x02),
    bad = ProtoField.bool("hftp.flags.bad", "BAD", 8, nil, 0x04),
    refresh = ProtoField.bool("hftp.flags.refresh", "REFRESH", 8, nil, 0x08),
    bought = ProtoField.bool("hftp.flags.bought", "Aggressor bought", 8, nil, 0x01),
    unknown = ProtoField.bool("hftp.flags.unknown", "Aggressor unknown", 8, nil, 0x02),
    inverse = ProtoField.bool("hftp.flags.inverse", "Inverse contract", 8, nil, 0x01),
    delisted = ProtoField.bool("hftp.flags.delisted", "Delisted", 8, nil, 0x02),
    price_exponent = ProtoField.int8("hftp.price_exponent", "Price exponent"),
    size_exponent = ProtoField.int8("hftp.size_exponent", "Size exponent"),
    cut = ProtoField.uint8("hftp.cut", "Sides that go on (1 bids, 2 asks)"),
    bid_count = ProtoField.uint16("hftp.bid_count", "Bids"),
    ask_count = ProtoField.uint16("hftp.ask_count", "Asks"),
    exchange_time = ProtoField.int64("hftp.exchange_timestamp", "Venue's time (us since the epoch; 0: none)"),
    feed_time = ProtoField.int64("hftp.feed_timestamp", "Feed time (us since the epoch)"),
    bid = ProtoField.string("hftp.bid", "Bid"),
    ask = ProtoField.string("hftp.ask", "Ask"),
    price = ProtoField.int64("hftp.price", "Price mantissa"),
    size = ProtoField.int64("hftp.size", "Size mantissa"),
    reserved = ProtoField.uint8("hftp.reserved", "Reserved"),
    trade_id = ProtoField.uint64("hftp.trade_id", "Trade id"),
    session = ProtoField.uint64("hftp.session", "Session (ns since the epoch)"),
    next_sequence = ProtoField.uint64("hftp.next_sequence", "Next sequence"),
    code = ProtoField.uint8("hftp.code", "Code", base.DEC, CODES),
    text_len = ProtoField.uint16("hftp.text_len", "Bytes of the text"),
    text = ProtoField.string("hftp.text", "Text", base.UNICODE),
    tick_exponent = ProtoField.int8("hftp.tick_exponent", "Tick exponent"),
    lot_exponent = ProtoField.int8("hftp.lot_exponent", "Lot exponent"),
    multiplier_exponent = ProtoField.int8("hftp.multiplier_exponent", "Multiplier exponent"),
    tick = ProtoField.int64("hftp.tick", "Tick mantissa"),
    lot = ProtoField.int64("hftp.lot", "Lot mantissa"),
    multiplier = ProtoField.int64("hftp.multiplier", "Multiplier mantissa"),
    padding = ProtoField.bytes("hftp.padding", "Padding"),
    json = ProtoField.string("hftp.json", "Text mode", base.UNICODE),
}
hftp.fields = f

local malformed = ProtoExpert.new("hftp.malformed", "Malformed HFTP", expert.group.MALFORMED, expert.severity.ERROR)
hftp.experts = { malformed }

-- A mantissa as a decimal, exactly: text, for doubles lose digits beyond 2^53.
local function decimal(mantissa, exponent)
    local text = tostring(mantissa)
    local sign = ""
    if text:sub(1, 1) == "-" then
        sign, text = "-", text:sub(2)
    end
    if exponent >= 0 then
        return sign .. text .. string.rep("0", text == "0" and 0 or exponent)
    end
    text = string.rep("0", math.max(0, 1 - exponent - #text)) .. text
    return sign .. text:sub(1, #text + exponent) .. "." .. text:sub(exponent)
end

local function flags_of(tree, range, fields)
    local item = tree:add_le(f.flags, range)
    for _, field in ipairs(fields) do
        item:add_le(field, range)
    end
end

-- Each body: adds its fields, returns its bytes and a few words; nil when it is cut.
local bodies = {}

bodies[0] = function(buf, at, tree)
    if buf:len() < at + 24 then return nil end
    local price_exponent, size_exponent = buf(at + 1, 1):le_int(), buf(at + 2, 1):le_int()
    local bids, asks = buf(at + 4, 2):le_uint(), buf(at + 6, 2):le_uint()
    local size = 24 + 16 * (bids + asks)
    if buf:len() < at + size then return nil end
    flags_of(tree, buf(at, 1), { f.snapshot, f.last, f.bad, f.refresh })
    tree:add_le(f.price_exponent, buf(at + 1, 1))
    tree:add_le(f.size_exponent, buf(at + 2, 1))
    tree:add_le(f.cut, buf(at + 3, 1))
    tree:add_le(f.bid_count, buf(at + 4, 2))
    tree:add_le(f.ask_count, buf(at + 6, 2))
    tree:add_le(f.exchange_time, buf(at + 8, 8))
    tree:add_le(f.feed_time, buf(at + 16, 8))
    for k = 0, bids + asks - 1 do
        local level = buf(at + 24 + 16 * k, 16)
        local words = decimal(level(0, 8):le_int64(), price_exponent) .. " x " .. decimal(level(8, 8):le_int64(), size_exponent)
        local item = tree:add(k < bids and f.bid or f.ask, level, words)
        item:add_le(f.price, level(0, 8))
        item:add_le(f.size, level(8, 8))
    end
    return size, string.format("%d bids, %d asks", bids, asks)
end

bodies[1] = function(buf, at, tree)
    if buf:len() < at + 44 then return nil end
    flags_of(tree, buf(at, 1), { f.bought, f.unknown })
    tree:add_le(f.price_exponent, buf(at + 1, 1))
    tree:add_le(f.size_exponent, buf(at + 2, 1))
    tree:add_le(f.reserved, buf(at + 3, 1))
    tree:add_le(f.trade_id, buf(at + 4, 8))
    tree:add_le(f.exchange_time, buf(at + 12, 8))
    tree:add_le(f.feed_time, buf(at + 20, 8))
    tree:add_le(f.price, buf(at + 28, 8))
    tree:add_le(f.size, buf(at + 36, 8))
    local price = decimal(buf(at + 28, 8):le_int64(), buf(at + 1, 1):le_int())
    local size = decimal(buf(at + 36, 8):le_int64(), buf(at + 2, 1):le_int())
    return 44, size .. " at " .. price
end

bodies[2] = function(buf, at, tree)
    if buf:len() < at + 24 then return nil end
    tree:add_le(f.session, buf(at, 8))
    tree:add_le(f.next_sequence, buf(at + 8, 8))
    tree:add_le(f.feed_time, buf(at + 16, 8))
    return 24, "next " .. tostring(buf(at + 8, 8):le_uint64())
end

bodies[3] = function(buf, at, tree)
    if buf:len() < at + 4 then return nil end
    local length = buf(at + 2, 2):le_uint()
    if buf:len() < at + 4 + length then return nil end
    tree:add_le(f.code, buf(at, 1))
    tree:add_le(f.reserved, buf(at + 1, 1))
    tree:add_le(f.text_len, buf(at + 2, 2))
    if length > 0 then tree:add_packet_field(f.text, buf(at + 4, length), ENC_UTF_8 + ENC_NA) end
    local code = buf(at, 1):le_uint()
    return 4 + length, CODES[code] or ("code " .. code)
end

bodies[4] = function(buf, at, tree)
    if buf:len() < at + 28 then return nil end
    flags_of(tree, buf(at, 1), { f.inverse, f.delisted })
    tree:add_le(f.tick_exponent, buf(at + 1, 1))
    tree:add_le(f.lot_exponent, buf(at + 2, 1))
    tree:add_le(f.multiplier_exponent, buf(at + 3, 1))
    tree:add_le(f.tick, buf(at + 4, 8))
    tree:add_le(f.lot, buf(at + 12, 8))
    tree:add_le(f.multiplier, buf(at + 20, 8))
    return 28, "tick " .. decimal(buf(at + 4, 8):le_int64(), buf(at + 1, 1):le_int())
end

local function message(buf, at, root)
    if buf:len() < at + HEADER then return nil, "a header is cut" end
    if buf(at, 4):le_uint() ~= MAGIC then return nil, "another magic" end
    local kind, symbol_len = buf(at + 21, 1):le_uint(), buf(at + 22, 2):le_uint()
    if symbol_len > 64 or buf:len() < at + HEADER + symbol_len then return nil, "a symbol is cut or too long" end
    local tree = root:add(f.message, buf(at))
    tree:add_le(f.magic, buf(at, 4))
    tree:add_le(f.sequence, buf(at + 4, 8))
    tree:add_le(f.timestamp, buf(at + 12, 8))
    tree:add_le(f.exchange, buf(at + 20, 1))
    tree:add_le(f.type, buf(at + 21, 1))
    tree:add_le(f.symbol_len, buf(at + 22, 2))
    local symbol = ""
    if symbol_len > 0 then
        tree:add_packet_field(f.symbol, buf(at + HEADER, symbol_len), ENC_UTF_8 + ENC_NA)
        symbol = buf(at + HEADER, symbol_len):string(ENC_UTF_8)
    end
    local body = bodies[kind]
    if body == nil then return nil, "an unknown type" end
    local size, words = body(buf, at + HEADER + symbol_len, tree)
    if size == nil then return nil, "a body is cut" end
    local exchange = buf(at + 20, 1):le_uint()
    local title = string.format("%s %s %s", EXCHANGES[exchange] or exchange, TYPES[kind], symbol)
    tree:set_text(string.format("%s, sequence %s: %s", title, tostring(buf(at + 4, 8):le_uint64()), words))
    tree:set_len(HEADER + symbol_len + size)
    return at + HEADER + symbol_len + size, title
end

local function zero(range)
    for k = 0, range:len() - 1 do
        if range(k, 1):uint() ~= 0 then return false end
    end
    return true
end

function hftp.dissector(buf, pinfo, root)
    if buf:len() == 0 then return 0 end
    pinfo.cols.protocol = "HFTP"
    local tree = root:add(hftp, buf())
    if buf(0, 1):uint() == 0x7b then
        tree:add_packet_field(f.json, buf(), ENC_UTF_8 + ENC_NA)
        pinfo.cols.info = "text mode"
        return buf:len()
    end
    local at, count, first = 0, 0, nil
    while at < buf:len() do
        local rest = buf:len() - at
        if (rest < HEADER and zero(buf(at))) or (rest >= 4 and buf(at, 4):le_uint() == 0) then
            tree:add(f.padding, buf(at))
            break
        end
        local after, words = message(buf, at, tree)
        if after == nil then
            tree:add_proto_expert_info(malformed, words)
            break
        end
        at, count, first = after, count + 1, first or words
    end
    pinfo.cols.info = count == 0 and "malformed" or (count == 1 and first or string.format("%s and %d more", first, count - 1))
    return buf:len()
end

local ports = DissectorTable.get("udp.port")
for _, port in ipairs({ 9001, 9002 }) do
    ports:add(port, hftp)
end
hftp:register_heuristic("udp", function(buf, pinfo, root)
    if buf:len() < HEADER or buf(0, 4):le_uint() ~= MAGIC then return false end
    hftp.dissector(buf, pinfo, root)
    return true
end)
