<?php
// As much of a Laravel application as the pages of the guide need: no database, no
// cache, and what a fresh application has besides. Debian has the framework, but
// not the skeleton that `composer create-project` makes.

use Illuminate\Contracts\Debug\ExceptionHandler;
use Illuminate\Contracts\Http\Kernel as KernelContract;
use Illuminate\Foundation\Application;
use Illuminate\Foundation\Exceptions\Handler;
use Illuminate\Foundation\Http\Kernel;
use Illuminate\Http\Request;
use Illuminate\Support\Facades\Facade;

// What Laravel 8 does is deprecated in later versions of PHP.
error_reporting(E_ALL & ~E_DEPRECATED);
require 'Illuminate/autoload.php';
require 'GuzzleHttp/autoload.php';
foreach (glob(__DIR__ . '/app/*.php') as $file) {
    require_once $file;
}

$app = new Application(__DIR__);
$app->instance('config', new Illuminate\Config\Repository([
    'app' => ['env' => 'production', 'debug' => true, 'timezone' => 'UTC', 'locale' => 'en'],
    'broadcasting' => require __DIR__ . '/config/broadcasting.php',
]));
Facade::setFacadeApplication($app);
// Everything is set up here already.
$app->singleton(KernelContract::class, fn ($app) => new class ($app, $app['router']) extends Kernel {
    protected $bootstrappers = [];
});
$app->singleton(ExceptionHandler::class, Handler::class);
foreach ([
    Illuminate\Filesystem\FilesystemServiceProvider::class,
    Illuminate\View\ViewServiceProvider::class,
    Illuminate\Bus\BusServiceProvider::class,
    Illuminate\Broadcasting\BroadcastServiceProvider::class,
    App\TidingsServiceProvider::class,
] as $provider) {
    $app->register($provider);
}
$app->boot();
require __DIR__ . '/routes/web.php';
$kernel = $app->make(KernelContract::class);
$kernel->handle(Request::capture())->send();
