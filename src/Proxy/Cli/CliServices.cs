using Proxy.Admin.Testing;

namespace Proxy.Cli;

/// <summary>Registers the test of the backends at the start.</summary>
internal static class CliServices
{
    public static void AddStartTest(this IServiceCollection services, StartupOptions options)
    {
        services.AddSingleton(options);
        services.AddHostedService<StartTest>();
    }
}
