// Command enforcer decides on each packet that a rule of iptables hands to its
// queue by what the cluster's NetworkPolicies say, with the code of
// kube-network-policies. That project's own program writes nftables rules,
// for which some kernels have no queue.
package main

import (
	"context"
	"flag"
	"os/signal"
	"syscall"

	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2"
	"sigs.k8s.io/kube-network-policies/pkg/networkpolicy"
)

func main() {
	kubeconfig := flag.String("kubeconfig", "", "whom to ask for policies, Pods and namespaces")
	queue := flag.Int("queue", 100, "the number of the queue")
	flag.Parse()
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer cancel()
	config, err := clientcmd.BuildConfigFromFlags("", *kubeconfig)
	exitIf(err)
	client, err := kubernetes.NewForConfig(config)
	exitIf(err)
	factory := informers.NewSharedInformerFactory(client, 0)
	controller, err := networkpolicy.NewController(
		client,
		factory.Networking().V1().NetworkPolicies(),
		factory.Core().V1().Namespaces(),
		factory.Core().V1().Pods(),
		nil, nil, nil, nil,
		networkpolicy.Config{QueueID: *queue},
	)
	exitIf(err)
	factory.Start(ctx.Done())
	exitIf(controller.Run(ctx))
}

func exitIf(err error) {
	if err != nil {
		klog.Exit(err)
	}
}
