// A registry in memory that lists what refers to an artifact, for the tests of
// sources; Debian's docker-registry has no such list.
package main

import (
	"io"
	"log"
	"net/http"
	"os"

	"github.com/google/go-containerregistry/pkg/registry"
)

func main() {
	quiet := log.New(io.Discard, "", 0)
	handler := registry.New(registry.WithReferrersSupport(true), registry.Logger(quiet))
	log.Fatal(http.ListenAndServe(os.Args[1], handler))
}
