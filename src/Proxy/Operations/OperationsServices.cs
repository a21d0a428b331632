using Microsoft.AspNetCore.Connections;

namespace Proxy.Operations;

/// <summary>Registers what every feature uses: the clock, the memory of connections, the counters and recent warnings.</summary>
internal static class OperationsServices
{
    public static void AddOperations(this IServiceCollection services)
    {
        services.AddSingleton<TimeProvider>(new SteadyTimeProvider(TimeProvider.System));
        services.AddSingleton<IMemoryPoolFactory<byte>, BlockPool>();
        services.AddSingleton<ResponseSteps>();
        services.AddSingleton<Counters>();
        services.AddSingleton<RecentWarnings>();
        services.AddSingleton<ILoggerProvider>(s => s.GetRequiredService<RecentWarnings>());
    }
}
