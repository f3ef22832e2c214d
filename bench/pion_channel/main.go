// One end of the channel bench with pion, beside ../channel_peer.cpp: the same lines, the same measure. Uses pion's
// detached channels, its cheapest way to send and receive.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/pion/datachannel"
	"github.com/pion/webrtc/v3"
)

const high, low = 1 << 20, 256 << 10

type line map[string]any

var sayLock sync.Mutex

func say(l line) {
	sayLock.Lock()
	defer sayLock.Unlock()
	text, _ := json.Marshal(l)
	os.Stdout.Write(append(text, '\n'))
}

func check(err error) {
	if err != nil {
		say(line{"type": "error", "message": err.Error()})
		os.Exit(1)
	}
}

func cpuSeconds() float64 {
	var usage syscall.Rusage
	check(syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
	seconds := func(t syscall.Timeval) float64 { return float64(t.Sec) + float64(t.Usec)*1e-6 }
	return seconds(usage.Utime) + seconds(usage.Stime)
}

func peakRssMib() float64 {
	status, err := os.ReadFile("/proc/self/status")
	check(err)
	for _, text := range strings.Split(string(status), "\n") {
		var kib float64
		if n, _ := fmt.Sscanf(text, "VmHWM: %f kB", &kib); n == 1 {
			return kib / 1024
		}
	}
	return 0
}

type bench struct {
	count, size int
	begun       time.Time
	cpuBefore   float64
	bytes       int
}

func (b *bench) start() {
	say(line{"type": "open"})
	b.begun, b.cpuBefore = time.Now(), cpuSeconds()
}

func (b *bench) report() {
	say(line{"type": "usage", "bytes": b.bytes, "wall_s": time.Since(b.begun).Seconds(),
		"cpu_s": cpuSeconds() - b.cpuBefore, "peak_rss_mib": peakRssMib()})
}

func (b *bench) send(channel datachannel.ReadWriteCloser, raw *datachannel.DataChannel) {
	more := make(chan struct{}, 1)
	raw.SetBufferedAmountLowThreshold(low)
	raw.OnBufferedAmountLow(func() {
		select {
		case more <- struct{}{}:
		default:
		}
	})
	payload := make([]byte, b.size)
	for sent := 0; sent < b.count; sent++ {
		_, err := channel.Write(payload)
		check(err)
		b.bytes += b.size
		if raw.BufferedAmount() > high {
			<-more
		}
	}
	_, err := channel.Read(make([]byte, 1024))
	check(err)
	b.report()
}

func (b *bench) receive(channel datachannel.ReadWriteCloser) {
	buffer := make([]byte, 1<<18)
	for received := 0; received < b.count; received++ {
		n, err := channel.Read(buffer)
		check(err)
		b.bytes += n
	}
	_, err := channel.Write([]byte("done"))
	check(err)
	b.report()
	io.Copy(io.Discard, channel)
}

func main() {
	role := os.Args[1]
	count, err := strconv.Atoi(os.Args[2])
	check(err)
	size, err := strconv.Atoi(os.Args[3])
	check(err)
	b := &bench{count: count, size: size}
	settings := webrtc.SettingEngine{}
	settings.SetIncludeLoopbackCandidate(true)
	settings.SetInterfaceFilter(func(name string) bool { return name == "lo" })
	settings.SetNetworkTypes([]webrtc.NetworkType{webrtc.NetworkTypeUDP4})
	settings.DetachDataChannels()
	connection, err := webrtc.NewAPI(webrtc.WithSettingEngine(settings)).NewPeerConnection(webrtc.Configuration{})
	check(err)
	attach := func(channel *webrtc.DataChannel, run func(datachannel.ReadWriteCloser)) {
		channel.OnOpen(func() {
			detached, err := channel.Detach()
			check(err)
			b.start()
			go run(detached)
		})
	}
	described := make(chan struct{})
	connection.OnICECandidate(func(c *webrtc.ICECandidate) {
		<-described
		if c != nil {
			say(line{"type": "candidate", "candidate": c.ToJSON().Candidate})
		}
	})
	if role == "offer" {
		ordered := false
		channel, err := connection.CreateDataChannel("sluice/1", &webrtc.DataChannelInit{Ordered: &ordered})
		check(err)
		attach(channel, func(c datachannel.ReadWriteCloser) { b.send(c, c.(*datachannel.DataChannel)) })
		offer, err := connection.CreateOffer(nil)
		check(err)
		check(connection.SetLocalDescription(offer))
		say(line{"type": "offer", "sdp": offer.SDP})
		close(described)
	} else {
		connection.OnDataChannel(func(channel *webrtc.DataChannel) { attach(channel, b.receive) })
	}
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(make([]byte, 1<<20), 1<<20)
	for in.Scan() {
		var l struct{ Type, Sdp, Candidate string }
		check(json.Unmarshal(in.Bytes(), &l))
		switch l.Type {
		case "offer":
			check(connection.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeOffer, SDP: l.Sdp}))
			answer, err := connection.CreateAnswer(nil)
			check(err)
			check(connection.SetLocalDescription(answer))
			say(line{"type": "answer", "sdp": answer.SDP})
			close(described)
		case "answer":
			check(connection.SetRemoteDescription(webrtc.SessionDescription{Type: webrtc.SDPTypeAnswer, SDP: l.Sdp}))
		case "candidate":
			check(connection.AddICECandidate(webrtc.ICECandidateInit{Candidate: l.Candidate}))
		}
	}
}
