// Lets go resolve versioned import paths in GOPATH mode (GO111MODULE=off).
module pion_channel
