// One end of a data channel with pion; ../README.md has the protocol.
package main

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"hash/crc32"
	"io"
	"os"
	"strconv"
	"sync"

	"github.com/pion/datachannel"
	"github.com/pion/webrtc/v3"
)

const bufferLimit = 1 << 20

type line struct {
	Type        string `json:"type"`
	SDP         string `json:"sdp,omitempty"`
	Candidate   string `json:"candidate,omitempty"`
	Message     string `json:"message,omitempty"`
	Sent        int    `json:"sent,omitempty"`
	SentSum     uint64 `json:"sent_sum,omitempty"`
	Received    int    `json:"received,omitempty"`
	ReceivedSum uint64 `json:"received_sum,omitempty"`
	Ordered     *bool  `json:"ordered,omitempty"`
}

var sayLock sync.Mutex

func say(l line) {
	sayLock.Lock()
	defer sayLock.Unlock()
	text, _ := json.Marshal(l)
	os.Stdout.Write(append(text, '\n'))
}

func check(err error) {
	if err != nil {
		say(line{Type: "error", Message: err.Error()})
		os.Exit(1)
	}
}

func message(index, size int) []byte {
	data := make([]byte, size)
	binary.BigEndian.PutUint32(data, uint32(index))
	for position := range data[4:] {
		data[4+position] = byte((index*31 + position) % 251)
	}
	return data
}

type peer struct {
	connection  *webrtc.PeerConnection
	channel     *webrtc.DataChannel
	raw         *datachannel.DataChannel
	count, size int
	received    int
	receivedSum uint64
	allReceived chan struct{}
	closed      chan struct{}
}

// attach detaches the channel: pion's event interface reads no more than 65535 bytes a message.
func (p *peer) attach(channel *webrtc.DataChannel) {
	p.channel = channel
	channel.OnOpen(func() {
		detached, err := channel.Detach()
		check(err)
		p.raw = detached.(*datachannel.DataChannel)
		say(line{Type: "open"})
		go p.read()
		go p.run()
	})
}

func (p *peer) read() {
	buffer := make([]byte, 1<<18)
	for {
		size, err := p.raw.Read(buffer)
		if err == io.EOF {
			p.raw.Close()
			close(p.closed)
			return
		}
		check(err)
		p.received++
		p.receivedSum += uint64(crc32.ChecksumIEEE(buffer[:size]))
		if p.received == p.count {
			close(p.allReceived)
		}
	}
}

func (p *peer) run() {
	more := make(chan struct{}, 1)
	p.raw.SetBufferedAmountLowThreshold(bufferLimit / 4)
	p.raw.OnBufferedAmountLow(func() {
		select {
		case more <- struct{}{}:
		default:
		}
	})
	var sum uint64
	for index := 0; index < p.count; index++ {
		if p.raw.BufferedAmount() > bufferLimit {
			<-more
		}
		data := message(index, p.size)
		sum += uint64(crc32.ChecksumIEEE(data))
		_, err := p.raw.Write(data)
		check(err)
	}
	<-p.allReceived
	ordered := p.channel.Ordered()
	say(line{Type: "result", Sent: p.count, SentSum: sum, Received: p.received, ReceivedSum: p.receivedSum,
		Ordered: &ordered})
}

func (p *peer) handle(l line) bool {
	switch l.Type {
	case "offer":
		check(p.connection.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: l.SDP}))
		answer, err := p.connection.CreateAnswer(nil)
		check(err)
		check(p.connection.SetLocalDescription(answer))
		say(line{Type: "answer", SDP: answer.SDP})
	case "answer":
		check(p.connection.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: l.SDP}))
	case "candidate":
		check(p.connection.AddICECandidate(webrtc.ICECandidateInit{Candidate: l.Candidate}))
	case "close":
		check(p.raw.Close())
		<-p.closed
		say(line{Type: "closed"})
		p.connection.Close() // an error only says that the other side was quicker
		return false
	}
	return true
}

func main() {
	role := os.Args[1]
	count, err := strconv.Atoi(os.Args[2])
	check(err)
	size, err := strconv.Atoi(os.Args[3])
	check(err)
	settings := webrtc.SettingEngine{}
	settings.DetachDataChannels()
	settings.SetIncludeLoopbackCandidate(true)
	settings.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4})
	connection, err := webrtc.NewAPI(webrtc.WithSettingEngine(settings)).NewPeerConnection(webrtc.Configuration{})
	check(err)
	p := &peer{connection: connection, count: count, size: size, allReceived: make(chan struct{}),
		closed: make(chan struct{})}
	described := make(chan struct{})
	connection.OnICECandidate(func(c *webrtc.ICECandidate) {
		<-described
		if c == nil {
			say(line{Type: "candidates_done"})
		} else {
			say(line{Type: "candidate", Candidate: c.ToJSON().Candidate})
		}
	})
	if role == "offer" {
		ordered := len(os.Args) > 4 && os.Args[4] == "ordered"
		channel, err := connection.CreateDataChannel("sluice/1", &webrtc.DataChannelInit{Ordered: &ordered})
		check(err)
		p.attach(channel)
		offer, err := connection.CreateOffer(nil)
		check(err)
		check(connection.SetLocalDescription(offer))
		say(line{Type: "offer", SDP: offer.SDP})
		close(described)
	} else {
		connection.OnDataChannel(p.attach)
	}
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(make([]byte, 1<<20), 1<<20)
	for in.Scan() {
		var l line
		check(json.Unmarshal(in.Bytes(), &l))
		more := p.handle(l)
		if l.Type == "offer" {
			close(described)
		}
		if !more {
			return
		}
	}
}
