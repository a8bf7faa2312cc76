// Enforces NetworkPolicy on one node of `make cluster`: kube-router's controller (as k3s runs it) and nothing else of kube-router. Like
// kube-proxy it runs beside the kubelet, in the node's network; its rules are iptables' and ipset's.
package main

import (
	"flag"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/cloudnativelabs/kube-router/v2/pkg/controllers/netpol"
	"github.com/cloudnativelabs/kube-router/v2/pkg/healthcheck"
	"github.com/cloudnativelabs/kube-router/v2/pkg/options"
	"github.com/cloudnativelabs/kube-router/v2/pkg/utils"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
)

func main() {
	kubeconfig := flag.String("kubeconfig", "", "who it is to the API server")
	node := flag.String("node", "", "the node's name")
	services := flag.String("services", "", "range of the Services' addresses")
	flag.Parse()
	if err := run(*kubeconfig, *node, *services); err != nil {
		fmt.Fprintln(os.Stderr, "network-policies:", err)
		os.Exit(1)
	}
}

func run(kubeconfig, node, services string) error {
	access, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(access)
	if err != nil {
		return err
	}
	untilNodeHasAddress(client, node)

	config := options.NewKubeRouterConfig()
	config.HostnameOverride = node
	config.ClusterIPCIDRs = []string{services}
	config.EnableIPv4 = true
	tables, sets, err := netpol.NewIPTablesHandlers(config)
	if err != nil {
		return err
	}
	factory := informers.NewSharedInformerFactory(client, 0)
	pods := factory.Core().V1().Pods().Informer()
	namespaces := factory.Core().V1().Namespaces().Informer()
	policies := factory.Networking().V1().NetworkPolicies().Informer()
	controller, err := netpol.NewNetworkPolicyController(
		client, config, pods, policies, namespaces, &sync.Mutex{}, nil, tables, sets)
	if err != nil {
		return err
	}
	for informer, handler := range map[cache.SharedIndexInformer]cache.ResourceEventHandler{
		pods:       controller.PodEventHandler,
		namespaces: controller.NamespaceEventHandler,
		policies:   controller.NetworkPolicyEventHandler,
	} {
		if _, err := informer.AddEventHandler(handler); err != nil {
			return err
		}
	}
	forever := make(chan struct{})
	factory.Start(forever)
	// Rules from a part of the cluster would let in what the rest forbids.
	factory.WaitForCacheSync(forever)
	var running sync.WaitGroup
	running.Add(1)
	go controller.Run(discarded(), forever, &running)
	running.Wait()
	return nil
}

// untilNodeHasAddress: the kubelet may only just have started.
func untilNodeHasAddress(client kubernetes.Interface, name string) {
	for {
		node, err := utils.GetNodeObject(client, name)
		if err == nil {
			if _, err = utils.NewRemoteKRNode(node); err == nil {
				return
			}
		}
		time.Sleep(500 * time.Millisecond)
	}
}

// discarded takes the heartbeats that the controller sends to a health check that does not run here.
func discarded() chan<- *healthcheck.ControllerHeartbeat {
	beats := make(chan *healthcheck.ControllerHeartbeat)
	go func() {
		for range beats {
		}
	}()
	return beats
}
